"""Linux guests with PV drivers, as people have them: several processors, a network, a screen."""

import re

from lab import expect
from table import FULL, LONG, scenario
from undone import is_cancelled

WRITTEN = ("b", "c", "e")  # the disks that the guest writes to; its kernel is on the first
WRITTEN_MIB = 16
BALLOONED_MIB = 128
PING_S = 0.5
GUEST_ADDRESS = "10.9.0.20"


def has_lost_no_write(s, guest, written=WRITTEN):
    """Every write that was acknowledged is in the images, and the guest reads what it wrote."""
    guest.types("verify", "V ok")
    guest.types("pause", "OK")
    guest.host.suite("await_ticks", guest.name, 2, 120)
    promised = guest.acknowledged()
    images = [image for image in s.images(guest) if image.split(".hd")[1][0] in written]
    for place, image in enumerate(images):
        guest.host.run(f"qemu-img convert -U -O raw {image} /tmp/written.raw && "
                       f"blkverify /tmp/written.raw {place} {WRITTEN_MIB} {promised[place]} && rm /tmp/written.raw")
    guest.types("go", "OK")


def is_refound(s, guest):
    """The PV drivers have found their new backends; a CD-ROM has none."""
    guest.host.suite("await_frontends", guest.domid(), 120)


def moves(s, *options):
    """It writes all the time, and the lab is slow: that may be warned of."""
    s.move("--max-downtime", "2s", *options)
    warnings = [line for line in s.said.splitlines() if "warning" in line and "as fast as it can be sent" not in line]
    expect(not warnings, f"a warning: {warnings}")
    is_refound(s, s.guest)
    has_lost_no_write(s, s.guest)


def seconds(text):
    """Of "230 ms", "2.5 s" or "5 min 24 s"."""
    words = text.split()
    return sum(float(number) * {"ms": 0.001, "s": 1, "min": 60}[unit] for number, unit in zip(words[::2], words[1::2]))


def reconnect_s(s):
    """How long a guest with so many PV devices may take to find them again: on an emulated host with one processor some
    times what its device model took to start. A bridge that goes on sending to the old place would lose 300 s."""
    return 3 * seconds(re.search(r"qemu-defer-start: done in (.*)", s.said)[1])


def is_the_same(s, identity):
    """The same clock; the same UUID, but for a copy beside its original."""
    now = s.guest.host.suite("identity", s.guest.name)
    expect(now.split()[1] == identity.split()[1], f"its clock's offset is {now.split()[1]} s")
    expect(s.is_one_host() or now == identity, f"its UUID is {now.split()[0]}")


def with_company(s):
    """A ping and a TCP stream go on through the move, both from the first host. It has given memory back."""
    identity = s.guest.host.suite("set_clock", s.guest.name, 3600)
    whole_mib = int(s.source.suite("memory", s.guest.name))
    s.source.run(f"xl mem-set {s.guest.name} {BALLOONED_MIB}m")
    s.source.suite("await_less_memory", s.guest.name, whole_mib - 6, 120)
    s.source.suite("start", "ping", "ping", "-i", str(PING_S), "-c", "9000", GUEST_ADDRESS)
    s.source.suite("start", "stream", "dom0.sh", "stream", GUEST_ADDRESS)
    s.source.suite("await_answers", "stream", 10, 60)
    moves(s)
    s.guest.host.suite("await_less_memory", s.guest.name, whole_mib - 6, 1)
    is_the_same(s, identity)
    first = s.hosts[0]
    first.suite("await_answers", "stream", 10, 500)  # TCP waits twice as long each time
    first.suite("finish", "ping")
    first.suite("finish", "stream")
    stream = first.suite("output", "stream")
    expect("broken" not in stream, f"the TCP stream: {stream.strip().splitlines()[-1]}")
    lost_s = int(first.suite("lost_pings", "ping")) * PING_S
    pause_s = seconds(re.search(r"with (.*?) of downtime", s.said)[1])
    s.lab.note(f"{lost_s:.1f} s of pings are lost, the pause was {pause_s} s, the TCP stream waited "
               f"{stream.strip().splitlines()[-1].split()[-1]} s")
    expect(lost_s <= pause_s + reconnect_s(s), f"{lost_s:.1f} s of pings are lost, though the pause was {pause_s} s")


def is_xls(s):
    """What xl asks of a guest's drivers."""
    host, name = s.guest.host, s.guest.name
    expect("00:16:3e:00:00:20" in host.run(f"xl network-list {name}"), "xl network-list does not show its interface")
    host.run(f"xl save {name} /lab/saved && xl restore /lab/saved && rm /lab/saved", limit=300)
    s.guest.goes_on()
    host.run(f"xl shutdown -w {name}", limit=300)
    s.is_clean()


def in_company(s):
    with_company(s)
    is_xls(s)


def crashes(s):
    """As its configuration says, it is kept to be looked at."""
    host, name = s.guest.host, s.guest.name
    host.run(f"xl sysrq {name} c")
    host.run(f"dom0.sh await 120 sh -c 'xl list {name} | grep -q -- sc-'")
    host.run(f"xl destroy {name}")
    s.is_clean()


def is_undone(s):
    """After its suspend; up to then it is on no network at the target."""
    domid = s.guest.domid()
    s.start_send("--max-downtime", "2s", "--fault", "PREPARED:after:recv:stop")
    s.await_stopped("recv")
    s.target.suite("is_not_connected", s.guest.name + "--incoming")
    is_cancelled(s, domid)
    has_lost_no_write(s, s.guest)


def moves_to_another_bridge(s):
    s.target.run("ip link add xenbr1 type bridge && ip link set xenbr1 up")
    moves(s, "--bridge", "xenbr0=xenbr1")
    vif = f"/sys/class/net/vif{s.guest.domid()}.0"
    expect(s.target.run(f"readlink {vif}/master").strip().endswith("xenbr1"), "it is not on the other bridge")


def undone_bridged_crashed(s):
    is_undone(s)
    moves_to_another_bridge(s)
    crashes(s)


def there_and_back(s):
    for _ in range(5):
        moves(s)
        s.turn_round()
        moves(s)
        s.turn_round()


def ten_moves(s):
    """One at the heels of the other; what is lost in one is missing in the end."""
    for _ in range(10):
        at = s.destination()
        status = s.send("--max-downtime", "1s", dest="local:")
        expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
        s.guest = s.guest.moved(at)
        s.turn_round()
    s.guest.goes_on()
    s.is_clean()
    is_refound(s, s.guest)
    has_lost_no_write(s, s.guest)


def refuses_a_disk_of_the_kernel(s):
    """The guest's writes to it pass the device model by, and with it the mirror."""
    domid = s.guest.domid()
    s.source.run("truncate -s 4M /lab/phy.raw && xl block-attach t1 "
                 "format=raw,vdev=xvdj,access=rw,target=$(losetup -f --show /lab/phy.raw)")
    s.source.suite("await_frontends", domid, 60)
    status = s.send("--dry-run")
    expect(status == 3 and "backendtype=qdisk" in s.said, f"xmig send ended with {status}: {s.last_words()}")
    s.source.run("xl block-detach t1 xvdj")
    s.stayed(domid)


scenario("pv-one-4.17", "company", in_company, rung=LONG)
scenario("pv-4.17", "company", with_company, rung=FULL)
scenario("pv-4.17", "undone-bridged-crashed", undone_bridged_crashed)
scenario("pv-4.20", "company", in_company, rung=FULL)
scenario("pv-upgrade", "company", with_company)
scenario("load-4.17", "refused-phy", refuses_a_disk_of_the_kernel)
scenario("load-two-4.17", "ten-moves", there_and_back, rung=FULL)
for number in range(9):
    scenario("load-4.17", f"ten-moves-{number + 1}", ten_moves, rung=FULL if number else LONG)
