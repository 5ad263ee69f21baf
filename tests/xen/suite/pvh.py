"""PVH guests: nothing is emulated for them, their console is xenconsoled's, and QEMU, if there is one, only serves disks."""

from guest import Guest
from kills import guarded, killed
from lab import expect
from moves import is_an_ordinary_domain, is_refused, moves_with_identical_disks
from pv import has_lost_no_write, is_refound
from table import CHECK, FULL, LONG, scenario
from undone import undone

DISKS = ("a", "b")
BALLOONED_MIB = 112
KERNEL = "/usr/local/share/lab/linux-kernel"
POINTS = {"qemu-defer-start:end:recv": FULL, "drive-mirror:end:send": FULL, "ram-stream:begin:send": FULL,
          "PAUSING:after:send": LONG, "ram-stream:end:recv": FULL, "PREPARED:after:recv": LONG}
KILLS = {("receiver", "drive-mirror:end:send"): FULL, ("dm", "PREPARED:after:recv"): FULL,
         ("sender", "COMMIT:after:send"): LONG, ("receiver", "RESUMING:after:recv"): LONG,
         ("dm", "RESUMING:after:recv"): FULL}


def moves(s, *options):
    """Its disks are the same at the switch, and it has lost no write; what it is told by its console, it answers."""
    moves_with_identical_disks(s, "--max-downtime", "2s", *options)
    is_refound(s, s.guest)
    has_lost_no_write(s, s.guest, DISKS)


def reboots(s):
    """By xmig's monitor, from the kernel at this host."""
    domid = s.guest.domid()
    s.guest.forget()
    s.guest.host.run(f"xl reboot {s.guest.name}")
    s.guest.host.suite("await_rebuilt", s.guest.name, domid, 300)
    s.guest.forget()
    s.guest.goes_on()
    s.is_clean()


def is_turned_off(s):
    s.guest.host.run(f"xl shutdown -w {s.guest.name}", limit=300)
    s.is_clean()


def moved_once(s):
    moves(s)
    reboots(s)


def there_and_back(s):
    """It has given memory back, and keeps less; xl does with it what it does with its own."""
    s.source.run(f"xl mem-set t1 {BALLOONED_MIB}m")
    s.source.suite("await_less_memory", "t1", BALLOONED_MIB, 120)
    moves(s)
    s.guest.host.suite("await_less_memory", s.guest.name, BALLOONED_MIB, 1)
    is_an_ordinary_domain(s)
    reboots(s)
    s.turn_round()
    moves(s)
    is_turned_off(s)


def there(s):
    moves(s)
    is_an_ordinary_domain(s)
    reboots(s)
    is_turned_off(s)


def moved_on_by_xl(s):
    moves(s)
    host, name, domid = s.guest.host, s.guest.name, s.guest.domid()
    host.run(f"xl migrate {name} {host.name}", limit=300)
    expect(s.guest.domid() != domid, "it is the same domain")
    s.guest.goes_on()
    is_refound(s, s.guest)
    s.is_clean()


def undone_then_moved(s):
    """xl's own monitor of the domain has ended with the suspend: xmig's has taken its place."""
    undone(s, "COMMIT:before:send")
    has_lost_no_write(s, s.guest, DISKS)
    reboots(s)
    moves(s)


def without_disks(s):
    """It has no QEMU, here or there."""
    for host in s.hosts:
        host.suite("log_consoles", "n1", "n2")
    s.source.run("lab-guest linux n1 --type pvh --disks 0 --params 'xg.ram=1,1,rand xg.hb_ms=1000' "
                 "memory=96 \"tsc_mode='native'\"", limit=900)
    guest = Guest(s.source, "n1")
    at = guest.arrives_as(s.target, "n2")
    s.source.suite("start", "send", "xmig", "send", "-v", "--name", "n2", "n1", s.target.name)
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    guest.moved(at).goes_on()
    s.target.run("! xenstore-exists /local/domain/$(xl domid n2)/image/device-model-pid")
    at.types("verify", "V ok")
    s.target.run("xl shutdown -w n2", limit=300)
    s.stayed(s.guest.domid())


def with_shared_disks(s):
    at = s.destination()
    disks = [f"--disk=xvd{letter}={image}" for letter, image in zip(DISKS, s.images(s.guest))]
    status = s.send("--without", "drive-mirror", *disks)
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    expect(not any(s.target.exists(image) for image in s.images(at)), "an image was made")
    s.arrived(at)
    is_refound(s, s.guest)
    s.guest.types("verify", "V ok")


def needs_its_kernel(s):
    """Another one at the target is as bad as none: the guest's next boot would not be what it is here."""
    s.target.run(f"echo >>{KERNEL}")
    is_refused(s, KERNEL)
    s.target.run(f"rm {KERNEL}")
    is_refused(s, KERNEL)


scenario("pvh-one-4.17", "moved", moves, rung=CHECK)
scenario("pvh-one-4.17", "undone-reboots-moves", undone_then_moved)
scenario("pvh-one-4.17", "moved-on-by-xl", moved_on_by_xl)
scenario("pvh-one-4.17", "without-disks", without_disks)
scenario("pvh-one-4.17", "shared-disks", with_shared_disks)
scenario("pvh-one-4.17", "guarded-at-COMMIT-after-send", guarded, "COMMIT:after:send", rung=FULL)
scenario("pvh-4.17", "there-and-back", there_and_back)
scenario("pvh-4.17", "refused-kernel", needs_its_kernel)
scenario("pvh-4.20", "there", there, rung=FULL)
scenario("pvh-upgrade", "there", there)
scenario("pvh-oxenstored-4.17", "moved", moved_once)
for a_point, a_rung in POINTS.items():
    scenario("pvh-one-4.17", "undone-at-" + a_point.replace(":", "-"), undone, a_point, rung=a_rung)
for (a_victim, a_moment), a_rung in KILLS.items():
    scenario("pvh-one-4.17", f"{a_victim}-killed-at-" + a_moment.replace(":", "-"), killed, a_victim, a_moment, rung=a_rung)
