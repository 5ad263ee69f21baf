"""Moves that fail, or are cancelled: the guest stays, and nothing is left over."""

from lab import expect
from moves import reboots
from table import CHECK, FULL, LONG, scenario

# Before COMMIT, wherever it fails, all is undone. A stage's begin is the end of the one before.
# The last moment, before COMMIT, is that of the scenarios below.
POINTS = [
    "params-copy:end:send", "params-copy:end:recv", "qemu-defer-start:end:recv", "qemu-defer-start:end:send",
    "drive-mirror:end:send", "drive-mirror:end:recv", "block-ready-wait:end:send",
    "ram-stream:begin:send", "ram-stream:begin:recv", "PAUSING:before:send", "PAUSING:after:send",
    "ram-stream:end:send", "ram-stream:end:recv", "PREPARED:after:recv",
]
IN_LONG = {"PREPARED:after:recv", "qemu-defer-start:end:recv", "drive-mirror:end:recv", "PAUSING:after:send", "ram-stream:end:send"}

STAGES = ["params-copy", "qemu-defer-start", "drive-mirror", "block-ready-wait", "ram-stream"]


def undone(s, point):
    domid = s.guest.domid()
    status = s.send("--fault", point)
    expect(status == 4, f"xmig send ended with {status}, not 4: {s.last_words()}")
    s.stayed(domid)


def undone_then_reboots_then_moves(s):
    """xl's own monitor of the domain has ended with the suspend: xmig's has taken its place."""
    undone(s, "COMMIT:before:send")
    reboots(s)
    s.move()


def connection_lost(s, point):
    domid = s.guest.domid()
    status = s.send("--fault", point + ":lose", "--lease", "30s")
    expect(status == 4, f"xmig send ended with {status}, not 4: {s.last_words()}")
    s.stayed(domid)


def is_cancelled(s, domid):
    """By SIGTERM while the receiver stands still, which holds the moment."""
    s.source.suite("terminate", "send")
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 143, f"xmig send ended with {status}, not 143: {s.last_words()}")
    s.stayed(domid)


def cancelled(s, point):
    domid = s.guest.domid()
    s.start_send("--fault", point + ":stop")
    s.await_stopped("recv")
    is_cancelled(s, domid)


def driver_loaded(s, point):
    """While the sender stands still at `point` the guest turns to the PV way to hda: so xenstore says."""
    domid = s.guest.domid()
    state = f"/local/domain/{domid}/device/vbd/768/state"
    s.start_send("--fault", point + ":stop")
    s.await_stopped("send")
    s.source.run(f"xenstore-write {state} 4")
    s.source.suite("go_on", "send")
    status = s.sent()
    expect(status == 4 and "PV driver" in s.said, f"xmig send ended with {status}: {s.last_words()}")
    s.source.run(f"xenstore-write {state} 1")
    s.stayed(domid)


def calls(s, call, library="libxenctrl"):
    """A function of one of Xen's libraries."""
    s.source.run("python3 -c 'from ctypes import *; from glob import glob; "
                 'lib = CDLL(glob("/usr/lib/*/libxenctrl.so.*")[0]); lib.xc_interface_open.restype = c_void_p; '
                 "xc = c_void_p(lib.xc_interface_open(None, None, 0)); "
                 f'exit(CDLL(glob("/usr/lib/*/{library}.so.*")[0]).{call} != 0)\'')


def acknowledged_and_not_followed(s):
    """The guest has PV drivers, so Xen says, and takes the request to suspend itself: so we do for it."""
    domid = s.guest.domid()
    calls(s, f"xc_hvm_param_set(xc, {domid}, 0, c_uint64(2 << 56 | 0xf3))")  # HVM_PARAM_CALLBACK_IRQ: a vector
    s.start_send("--no-guardian")
    request = f"/local/domain/{domid}/control/shutdown"
    s.source.suite("await", 120, "sh", "-c", f"[ \"$(xenstore-read {request})\" = suspend ]")
    s.source.run(f"xenstore-write {request} ''")
    status = s.sent()
    expect(status == 5 and "nothing can take that back" in s.said and "xmig recover" in s.said,
           f"xmig send ended with {status}: {s.last_words()}")
    calls(s, f"xc_domain_shutdown(xc, {domid}, 2)")  # SHUTDOWN_suspend
    status, said = s.source.run("xmig recover $(xmig list | grep -o -m 1 '[0-9a-f]\\{16\\}') 2>&1", check=False)
    expect(status == 4, f"xmig recover ended with {status}: {said}")
    calls(s, f"xc_hvm_param_set(xc, {domid}, 0, c_uint64(0))")
    s.stayed(domid)


def too_late(s):
    """--deadline ends what would go on; here, what stands still."""
    domid = s.guest.domid()
    status = s.send("--deadline", "1s")
    expect(status in (1, 4), f"xmig send ended with {status}, neither undone nor never begun: {s.last_words()}")
    s.stayed(domid)


for a_point in POINTS:
    scenario("one-4.17", "undone-at-" + a_point.replace(":", "-"), undone, a_point,
             rung=LONG if a_point in IN_LONG else FULL)
for a_stage in STAGES:
    scenario("one-4.17", f"cancelled-at-{a_stage}", cancelled, f"{a_stage}:end:recv",
             rung=LONG if a_stage == "drive-mirror" else FULL)
scenario("one-4.17", "cancelled-in-ram-stream", cancelled, "ram-stream:begin:recv", rung=CHECK)
scenario("one-4.17", "acknowledged-and-not-followed", acknowledged_and_not_followed)
scenario("one-4.17", "deadline", too_late)
for a_point in ("ram-stream:begin:send", "PAUSING:after:send"):
    scenario("one-4.17", "driver-loaded-at-" + a_point.split(":")[0], driver_loaded, a_point,
             rung=LONG if a_point.startswith("PAUSING") else FULL)
scenario("one-4.17", "undone-reboots-moves", undone_then_reboots_then_moves, rung=CHECK)
scenario("one-4.20", "undone-reboots-moves", undone_then_reboots_then_moves, rung=FULL)
scenario("oxenstored-4.17", "undone-at-COMMIT", undone, "COMMIT:before:send")
scenario("one-4.17", "connection-lost-at-drive-mirror", connection_lost, "drive-mirror:end:send", rung=FULL)
scenario("one-4.17", "connection-lost-at-PREPARED", connection_lost, "PREPARED:after:recv")
scenario("two-4.17", "undone-at-ram-stream", undone, "ram-stream:end:send", rung=FULL)
scenario("two-4.17", "undone-at-PREPARED", undone, "PREPARED:after:recv")
scenario("two-4.20", "undone-at-ram-stream", undone, "ram-stream:end:recv", rung=FULL)
