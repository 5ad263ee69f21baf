"""Disks that dom0's kernel serves: logical volumes of a Linux guest with PV drivers, which writes and flushes."""

from kills import settle
from lab import expect
from pv import is_refound
from table import CHECK, FULL, LONG, scenario

WRITTEN_MIB = 16


def disks(s):
    """The first of an HVM guest is emulated until its driver has been loaded; it writes to the second."""
    return ("xvda" if "pvh" in s.name else "hda", "xvdb")


def size(s):
    return s.source.run(f"blockdev --getsize64 {s.images(s.guest)[0]}").strip() + "b"


def ready(s):
    """The target has volumes for the guest's disks."""
    s.target.suite("make_volumes", size(s), *s.images(s.destination()))


def to_volumes(s, *options):
    words = []
    for disk, path in zip(disks(s), s.images(s.destination())):
        words += ["--disk", f"{disk}={path}", "--overwrite", disk]
    return (*words, "--max-downtime", "2s", *options)


def is_plain(s):
    for host in s.hosts:
        host.suite("have_plain_tables", *s.images(s.guest))


def moves(s, *options):
    """The receiver is stopped when it owns the guest: neither copy runs, and nothing writes."""
    at = s.destination()
    s.start_send("--fault", "OWNED:after:recv:stop", *to_volumes(s, *options))
    s.await_stopped("recv")
    ours = s.source.suite("volume_digests", *s.images(s.guest))
    theirs = s.target.suite("volume_digests", *s.images(at))
    expect(ours and ours == theirs, f"the disks differ: {ours.split()} and {theirs.split()}")
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    s.arrived(at)
    is_plain(s)
    is_refound(s, s.guest)
    has_lost_no_write(s)


def has_lost_no_write(s):
    host, guest = s.guest.host, s.guest
    guest.types("verify", "V ok")
    guest.types("pause", "OK")
    host.suite("await_ticks", guest.name, 2, 120)
    host.run(f"dd if={s.images(guest)[1]} of=/tmp/written.raw iflag=direct bs=1M status=none && "
             f"blkverify /tmp/written.raw 0 {WRITTEN_MIB} {guest.acknowledged()[0]} && rm /tmp/written.raw")
    guest.types("go", "OK")


def is_served_by_the_kernel(s):
    said = s.guest.host.run(f"xl block-list {s.guest.name}")
    expect(said.count("/vbd/") == 2, f"xl block-list says: {said}")


def there_and_back(s):
    ready(s)
    moves(s)
    is_served_by_the_kernel(s)
    s.turn_round()
    moves(s)
    is_served_by_the_kernel(s)


def with_a_read_only_disk(s):
    """It is not copied, and the kernel serves it at the target as well."""
    s.source.run("lvcreate -qq -y -L 8M -n seed lab && "
                 f"xl block-attach {s.guest.name} format=raw,vdev=xvdc,access=r,target=/dev/lab/seed")
    s.source.suite("await_frontends", s.guest.domid(), 60)
    ready(s)
    moves(s)
    said = s.guest.host.run(f"xl block-list {s.guest.name}")
    expect(said.count("/vbd/") == 3, f"xl block-list says: {said}")


def is_undone(s, domid, status):
    expect(status == 4, f"xmig send ended with {status}, not 4: {s.last_words()}")
    s.stayed(domid)
    is_plain(s)
    has_lost_no_write(s)


def undone(s, point):
    ready(s)
    domid = s.guest.domid()
    is_undone(s, domid, s.send(*to_volumes(s, "--fault", point)))


def killed(s, victim, point):
    """kill -9, then xmig recover: the volumes have their plain tables, and the guest has noticed nothing."""
    ready(s)
    domid = s.guest.domid()
    s.start_send(*to_volumes(s, "--fault", point + ":stop", "--lease", "60s", "--no-guardian"))
    s.await_stopped("send")
    (s.target if victim == "receiver" else s.source).suite("strike", victim)
    s.source.suite("go_on", "send")
    is_undone(s, domid, settle(s, s.sent()))


def changed_by_lvm(s):
    """LVM has put its own table back: writes may have been missed."""
    ready(s)
    domid = s.guest.domid()
    s.start_send(*to_volumes(s, "--fault", "block-ready-wait:end:send:stop"))
    s.await_stopped("send")
    peak = int(s.source.suite("peak_memory", "send"))
    s.lab.note(f"the sender has had {peak} KiB")
    expect(peak < 24 * 1024, f"the sender has had {peak} KiB")
    s.source.run(f"lvchange --refresh {s.images(s.guest)[1]}")
    s.source.suite("go_on", "send")
    is_undone(s, domid, s.sent())


def makes_volumes(s):
    """What a move has made that is undone is removed."""
    domid, options = s.guest.domid(), ("--create-volumes", "lab", "--max-downtime", "2s")
    made = [f"/dev/lab/{s.next_name()}.{disk}" for disk in disks(s)]
    is_undone(s, domid, s.send(*options, "--fault", "block-ready-wait:end:send"))
    s.target.suite("has_no_disks", *made)
    s.move(*options)
    is_served_by_the_kernel(s)
    s.target.suite("have_plain_tables", *made)


def is_not_mistaken(s):
    """A volume of that name, but not the one that the kernel has open."""
    written = s.images(s.guest)[1]
    s.source.run(f"lvrename lab {written} /dev/lab/old && lvcreate -qq -y -W n -L {size(s)} -n {written.split('/')[-1]} lab")
    s.target.suite("make_volumes", size(s), *s.images(s.destination()))
    status = s.send(*to_volumes(s, "--dry-run"))
    expect(status == 3 and "another one by now" in s.said, f"{status}: {s.said}")
    s.guest.goes_on()


def is_told(s):
    """Before anything is touched."""
    ready(s)
    status = s.send(*to_volumes(s, "--dry-run"))
    expect(status == 0 and "type 'era'" in s.said, f"{status}: {s.said}")
    is_plain(s)


scenario("phy-one-4.17", "there-and-back", there_and_back, rung=LONG)
scenario("phy-pvh-one-4.17", "read-only", with_a_read_only_disk, rung=LONG)
scenario("phy-one-4.17", "makes-volumes", makes_volumes, rung=LONG)
scenario("phy-one-4.17", "told", is_told, rung=FULL)
scenario("phy-one-4.17", "not-mistaken", is_not_mistaken, rung=LONG)
scenario("phy-one-4.17", "undone block-ready-wait:end:send", undone, "block-ready-wait:end:send", rung=CHECK)
scenario("phy-one-4.17", "undone PREPARED:after:recv", undone, "PREPARED:after:recv", rung=LONG)
scenario("phy-one-4.17", "changed-by-lvm", changed_by_lvm, rung=LONG)
for victim in ("sender", "receiver", "ssh"):
    scenario("phy-one-4.17", f"killed {victim}", killed, victim, "block-ready-wait:end:send",
             rung=LONG if victim == "sender" else FULL)
for scene in ("phy-4.17", "phy-pvh-one-4.17", "phy-pvh-4.17"):
    scenario(scene, "there-and-back", there_and_back, rung=LONG if scene == "phy-pvh-one-4.17" else FULL)
