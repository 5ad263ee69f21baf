"""Moves that succeed, and what can be done with a guest that has been moved."""

import json
import os
import struct

from guest import Guest
from lab import expect
from table import CHECK, FULL, LONG, scenario

STAGES = ["params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream", "incoming-resume"]


def moves_with_identical_disks(s, *options, meanwhile=None):
    """The receiver is stopped when it owns the guest: neither copy runs, and nothing writes."""
    at = s.destination()
    s.start_send("--fault", "OWNED:after:recv:stop", *options)
    s.await_stopped("recv")
    if meanwhile:
        meanwhile(s)
    ours = s.source.suite("digests", *s.images(s.guest))
    theirs = s.target.suite("digests", *s.images(at))
    expect(ours and ours == theirs, f"the disks differ: {ours.split()} and {theirs.split()}")
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    s.arrived(at)


def shows_its_progress(s):
    """The sender waits for the receiver, and has moved all."""
    lines = map(json.loads, s.source.run("xmig status --json").splitlines())
    status = next((line for line in lines if line["type"] == "status" and line["side"] == "send"), {})
    expect((status.get("vm"), status.get("record")) == (s.guest.name, "COMMIT"), f"status shows: {status}")
    moved_of = {each["subject"]: each["done"] for each in status["transfers"]}
    expect(moved_of.keys() == {"disk/hda", "disk/hdb", "ram"} and all(moved_of.values()), f"status shows: {moved_of}")


def moves_and_is_watched(s):
    """As people watch a move: xmig vms before, status during it, and a report at either host and a trace after it."""
    trace, vms = "/root/trace.json", s.source.run("xmig vms")
    expect(f"xen:{s.guest.name}  can be moved: 2 disks, " in vms, f"xmig vms says: {vms}")
    moves_with_identical_disks(s, "--trace", trace, meanwhile=shows_its_progress)
    spans = [event for event in json.loads(s.source.run(f"cat {trace}; rm {trace}"))["traceEvents"] if event["ph"] == "X"]
    for host in 1, 2:
        stages = [span["name"] for span in spans if span["pid"] == host and span["cat"] == "stage"]
        expect(stages == STAGES, f"the trace has of host {host}: {stages}")
    whole, parts = (sum(span["dur"] for span in spans if span["pid"] == 1 and span["cat"] in cats)
                    for cats in (["move"], ["stage", "between"]))
    expect(abs(whole - parts) <= whole / 100, f"the trace's parts are {parts} us of {whole}")
    for host, guest in (s.source, "t1"), (s.target, s.guest.name):
        page = host.run(f"xmig report --output - {guest}")
        for words in (*STAGES, "disk/hda", "disk/hdb", ">ram<", "Both hosts are shown on the source", "RUNNING"):
            expect(words in page, f"{host.name}'s report lacks '{words}'")


def is_an_ordinary_domain(s):
    """xl does with it what it does with any other."""
    host, name = s.guest.host, s.guest.name
    host.run(f"xl list -l {name} | python3 -c 'import json, sys; assert json.load(sys.stdin)'")
    expect(host.run(f"xl block-list {name}").count("\n") == 3, "xl block-list does not show two disks")
    host.run(f"xl network-list {name}")
    host.run(f"xl pause {name} && xl unpause {name}")
    host.run(f"[ -c $(xenstore-read /local/domain/{s.guest.domid()}/console/tty) ]")  # what xl console opens
    host.run(f"xl save {name} /lab/saved && xl restore /lab/saved && rm /lab/saved")
    s.guest.goes_on()


def reboots(s):
    domid = s.guest.domid()
    s.guest.types("r", "REBOOT")
    s.guest.forget()
    s.guest.host.suite("await_rebuilt", s.guest.name, domid, 300)
    s.guest.goes_on()
    s.is_clean()


def powers_off(s):
    s.guest.types("p", "POWEROFF")
    s.guest.host.suite("await_gone", s.guest.name, 300)
    s.is_clean()


def there_and_back(s):
    moves_and_is_watched(s)
    is_an_ordinary_domain(s)
    reboots(s)
    s.turn_round()
    s.move()
    powers_off(s)


def there(s):
    moves_with_identical_disks(s)
    reboots(s)


def moved(s, *options, **destination):
    s.move(*options, **destination)
    reboots(s)


def moved_over_tls(s):
    """The target's list names the source while the guest is on its way."""
    at = s.destination()
    s.start_send("--fault", "OWNED:after:recv:stop", dest=s.listen())
    s.await_stopped("recv")
    listed = s.target.run("xmig list")
    expect(f"from {s.source.name} (10." in listed or f"from root@{s.source.name} (10." in listed, f"list says: {listed}")
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    s.arrived(at)
    reboots(s)


def upgraded(s):
    """To a newer Xen with a newer QEMU; the way back is refused."""
    moves_with_identical_disks(s)
    s.turn_round()
    is_refused(s, "4.20")
    reboots(s)


def moved_on_by_xl(s):
    """Away from xmig, by xl migrate, which finds the disks where they are."""
    s.move()
    host, name = s.guest.host, s.guest.name
    domid = s.guest.domid()
    host.run(f"xl migrate {name} {host.name}")
    expect(s.guest.domid() != domid, "it is the same domain")
    s.guest.goes_on()
    s.is_clean()
    expect(host.run("pgrep -fc 'xmig monito[r]'", check=False)[1].strip() == "0", "xmig still watches it")
    reboots(s)


def moved_where_xl_cannot(s):
    """QEMU 11.1 as the device model: libxl wants its state in a file, and QEMU gives it to sockets only."""
    domid = s.guest.domid()
    status, said = s.guest.host.run(f"xl migrate {s.guest.name} {s.guest.host.name}", check=False)
    expect(status != 0, f"xl migrate has moved it: {said}")
    s.stayed(domid)
    moved(s)


def is_refused(s, word, *options):
    domid = s.guest.domid()
    status = s.send(*options)
    expect(status == 3, f"xmig send ended with {status}, not 3: {s.last_words()}")
    expect(word in s.said, f"no word of '{word}' in: {s.said}")
    s.stayed(domid)


def is_refused_while_paused(s):
    s.source.run("xl pause t1")
    status = s.send()
    expect(status == 3 and "paused" in s.said, f"xmig send ended with {status}: {s.last_words()}")
    s.source.run("xl unpause t1")
    s.stayed(s.guest.domid())


def is_refused_a_taken_name(s):
    s.source.suite("start", "send", "xmig", "send", "--name", "Domain-0", "t1", s.target.name)
    status = s.sent()
    expect(status == 3 and "already" in s.said, f"xmig send ended with {status}: {s.last_words()}")
    s.stayed(s.guest.domid())


def is_refused_for_lack_of_memory(s):
    """Another guest, which does not run, has nearly all of it."""
    s.source.run("free=$(xl info | awk '/^free_memory/ { print $3 }') && sed 's/\"t1\"/\"big\"/; s/^uuid=.*//; "
                 "s/^disk=.*/disk=[]/; s/^memory=.*/memory='$((free - 10))'/' /lab/t1.cfg >/lab/big.cfg && "
                 "xl create -p -q /lab/big.cfg")
    is_refused(s, "MiB free at the target")


def only_looks(s):
    """--dry-run tells both sides' plans, and touches nothing on either."""
    domid = s.guest.domid()
    listing = "find /lab /var/lib/xmig /var/lib/xen /run/xen ! -path '*/domid-history*'"
    before = [host.run(listing, check=False) for host in s.hosts]
    status = s.send("--dry-run")
    expect(status == 0, f"xmig send --dry-run ended with {status}: {s.last_words()}")
    for side in ("The source:", "The target:"):
        expect(side in s.said, f"not a word of '{side}'")
    expect(before == [host.run(listing, check=False) for host in s.hosts], "--dry-run has changed files")
    s.stayed(domid)


def with_shared_disks(s):
    """On one host, the disks are where they were: only RAM moves; more of it than the guest is allowed by now."""
    s.source.run("xl mem-set t1 4m")  # the guest has no balloon driver
    limit = s.source.suite("memory_limit", "t1")
    at = s.destination()
    disks = [f"--disk=hd{letter}={image}" for letter, image in zip("ab", s.images(s.guest))]
    status = s.send("--without", "drive-mirror", *disks)
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    expect(not any(s.target.exists(image) for image in s.images(at)), "an image was made")
    expect(limit.strip() and s.target.suite("memory_limit", at.name) == limit, "its memory's limit was not set again")
    s.arrived(at)


def with_a_disk_that_both_hosts_reach(s):
    """Over the network, as a SAN's; the second host's cache has an old part of it."""
    volume = "/dev/nbd0"
    s.source.run("truncate -s 32M /lab/shared.raw && (setsid qemu-nbd -f raw -e 4 -t /lab/shared.raw </dev/null "
                 ">/dev/null 2>&1 &) && lab-guest tick n1 --no-start --size 32M --params 'interval_ms=100 blocks=256' memory=8 && "
                 f"sed -i s,/lab/n1.hda.raw,{volume}, /lab/n1.cfg")
    for host in s.hosts:
        host.run(f"modprobe nbd && dom0.sh await 60 qemu-nbd -f raw -c {volume} nbd://10.9.0.1")
    s.source.run(f"dd if=/lab/n1.hda.raw of={volume} conv=fsync status=none && xl create -q /lab/n1.cfg")
    s.target.run(f"head -c 8M {volume} >/dev/null")
    s.source.suite("await_ticks", "n1", 5, 300)
    guest = Guest(s.source, "n1")
    at = guest.arrives_as(s.target, "n1")
    s.source.suite("start", "send", "xmig", "send", "-v", "--without", "drive-mirror", "n1", s.target.name)
    status = s.sent()
    expect(status == 3 and "--shared" in s.said, f"it was not refused without --shared: {status}, {s.last_words()}")
    s.source.suite("start", "send", "xmig", "send", "-v", "--without", "drive-mirror", "--shared", "hda", "n1",
                   s.target.name)
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    guest.moved(at).goes_on()
    s.is_clean()


def end_of_stream(stream):
    """Where Xen's part of what goes through the RAM lane ends."""
    at = 24 + 16  # image and domain header
    while True:
        kind, length = struct.unpack_from("<II", stream, at)
        at += 8 + (length + 7) // 8 * 8
        if kind == 0:
            return at


def sends_a_stream_that_xen_verifies(s):
    """The lane is tapped where the target's ssh runs it."""
    tap = ("#!/bin/sh\\n[ \"$1 $4\" = \"lane lz4/ram\" ] || exec xmig \"$@\"\\n"
           "tee /lab/stream | exec xmig \"$@\"\\n")
    s.target.run(f"printf '{tap}' >/root/tapped && chmod 755 /root/tapped")
    s.move("--remote-path", "/root/tapped")
    s.target.run("lz4 -dq /lab/stream /lab/stream.plain")
    path = os.path.join(s.lab.folder, "stream")
    s.lab.call("get", str(s.target.number), "/lab/stream.plain", path)
    with open(path, "rb") as file:
        length = end_of_stream(file.read())
    os.unlink(path)
    s.target.run(f"head -c {length} /lab/stream.plain >/lab/stream.xen && verify-stream-v2 -f libxc -i /lab/stream.xen")


for version in ("4.17", "4.20"):
    is_old = version == "4.17"
    scenario("two-" + version, "there-and-back", there_and_back, rung=LONG if is_old else FULL)
    scenario("one-" + version, "stream", sends_a_stream_that_xen_verifies, rung=CHECK if is_old else FULL)
    scenario("one-" + version, "dry-run", only_looks, rung=LONG if is_old else FULL)
    scenario("one-" + version, "shared-disks", with_shared_disks, rung=FULL)
    scenario("oxenstored-" + version, "moved-over-tls" if is_old else "moved", moved_over_tls if is_old else moved,
             rung=LONG)
scenario("two-4.20", "there", there)
scenario("two-4.17", "moved-over-tls", moved_over_tls, rung=FULL)
scenario("one-4.17", "moved-without-ssh", moved, dest="local:")
scenario("one-4.17", "moved-on-by-xl", moved_on_by_xl)
scenario("one-4.17", "refused-paused", is_refused_while_paused)
scenario("one-4.17", "refused-name", is_refused_a_taken_name, rung=FULL)
scenario("one-4.17", "refused-memory", is_refused_for_lack_of_memory)
scenario("two-4.17", "shared-disk", with_a_disk_that_both_hosts_reach)
scenario("two-4.17", "dry-run", only_looks, rung=FULL)
scenario("upgrade", "upgraded", upgraded, rung=CHECK)
scenario("one-backports", "moved-where-xl-cannot", moved_where_xl_cannot, rung=FULL)
scenario("upgrade-qemu", "there", there, rung=FULL)
scenario("downgrade", "refused", is_refused, "4.20")
scenario("lesser-4.17", "refused", is_refused, "lack what the guest was promised at the source: CX16 ")
