"""Somebody else's hand at the guest while it is moved: what xl, a service manager or a person does to it."""

from devices import LVM, disk, make, mirrors, sends
from guest import Guest
from kills import migration_of, settle
from lab import expect
from table import FULL, LONG, scenario
from undone import calls

PREPARED = "PREPARED:after:recv:stop"
COMMIT = "COMMIT:after:send:stop"
OWNED = "OWNED:after:recv:stop"
CLOSES_ON = ("--lease", "60s", "--no-guardian")


def recover(s, *options):
    """The exit status of xmig recover at the source, and what it says."""
    return s.source.run(f"xmig recover {' '.join(options)} --side send {migration_of(s)} 2>&1", check=False)


def expect_status(wanted, status, word, said):
    expect(status == wanted and word in said, f"it ended with {status}, not {wanted} and '{word}': {said[-400:]}")


# ---- xl unpause, a resume ----

def copy_is_let_run(s):
    """The complete copy at the target, before it is handed over: it ticks."""
    at = s.destination()
    s.start_send("--fault", PREPARED, *CLOSES_ON)
    s.await_stopped("recv")
    at.before = s.guest.printed()
    s.target.run(f"xl unpause {at.name}--incoming")
    s.target.suite("await_ticks", at.name, 3, 300)
    return at


def copy_let_run_goes_on(s):
    """The move goes on from there, and nothing is lost."""
    at = copy_is_let_run(s)
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    old, s.guest = s.guest, at
    expect(old.name not in s.source.domains(), "the old copy is still there")
    s.guest.goes_on()
    s.is_clean()


def copy_let_run_is_chosen(s, way, status):
    """The sender is dead: only a person can say which of the two goes on."""
    domid = s.guest.domid()
    at = copy_is_let_run(s)
    s.source.suite("strike", "sender")
    s.target.suite("go_on", "recv")
    s.sent()
    ended, said = recover(s)
    expect_status(6, ended, "--forward", said)
    expect(set("p") & set(s.target.domains()[f"{at.name}--incoming"]), "the copy that ran is not paused")
    ended, said = recover(s, way)
    expect_status(status, ended, "", said)
    if way == "--back":
        s.target.run(f"xmig recover --discard --side recv {migration_of(s)}", check=False)
        s.stayed(domid)
    else:
        s.guest = at
        s.guest.goes_on()
        s.is_clean()


def unpaused_while_suspended(s):
    """It is suspended, not paused: xl has nothing to take back."""
    at = s.destination()
    s.start_send("--fault", PREPARED)
    s.await_stopped("recv")
    s.source.run(f"xl pause {s.guest.name}; xl unpause {s.guest.name}; xl unpause {s.guest.name}", check=False)
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    s.arrived(at)


def resume(s, name):
    """All of it: its device model, and then the domain."""
    s.source.run(f"xl qemu-monitor-command {name} cont")
    calls(s, f"xc_domain_resume(xc, {s.source.domid(name)}, 1)", "libxenguest")
    s.source.suite("await", 60, "sh", "-c", f"xl list {name} | tail -n 1 | grep -vq -e s- -e -s")


def resumed(s, fault, side):
    """Somebody lets the suspended domain run at the source: that goes on there, and the target's copy is given back."""
    domid = s.guest.domid()
    s.start_send("--fault", fault, "--max-pause", "0", *CLOSES_ON)
    s.await_stopped(side)
    resume(s, s.guest.name)
    s.host_of(side).suite("go_on", side)
    status = s.sent()
    expect_status(4, status, "somebody has let the domain run", s.said)
    s.stayed(domid)


def resumed_after_go(s):
    """It is the target's. The old copy is paused, and never ended: a person looks at what it has written."""
    at = s.destination()
    s.start_send("--fault", OWNED, *CLOSES_ON)
    s.await_stopped("recv")
    at.before = s.guest.printed()
    resume(s, s.guest.name + "--migratedaway")
    s.target.suite("go_on", "recv")
    expect_status(7, s.sent(), "run after the VM was handed over", s.said)
    old = s.guest.name + "--migratedaway"
    expect("p" in s.source.domains()[old], f"{old} is not paused")
    ended, said = recover(s)
    expect_status(7, ended, "xl destroy", said)
    s.source.run(f"xl destroy {old}")
    ended, said = recover(s)
    expect_status(0, ended, "", said)
    s.guest = at
    s.guest.goes_on()
    s.is_clean()


def stopped_under_way(s):
    """By its administrator, while its disks are mirrored: left as it is."""
    guest = mirrors(s)
    s.source.run("xl pause m1")
    status = s.sent()
    expect_status(5, status, "somebody has paused it", s.said)
    expect("p" in s.source.domains()["m1"], "it is not paused any more")
    s.source.run("xl unpause m1")
    guest.goes_on()
    s.is_clean()


def turned_off_and_kept(s):
    """By the guest itself; xl keeps the domain as it is: so do we."""
    guest = mirrors(s, "on_poweroff='preserve'")
    guest.types("p", "POWEROFF")
    expect_status(5, s.sent(), "it has turned itself off", s.said)
    expect("s" in s.source.domains()["m1"], "it is not shut down any more")
    s.source.run("xl destroy m1")
    s.is_clean()


# ---- the old configuration is started again ----

def started_before_the_fence(s):
    """Between COMMIT and DONE, over and over, as a service manager does: Xen refuses the name, or no disk is found."""
    at = s.destination()
    s.start_send("--fault", COMMIT, *CLOSES_ON)
    s.await_stopped("send")
    s.source.suite("start", "manager", "sh", "-c", "while [ ! -e /run/suite/enough ]; do "
                   f"xl create -q /lab/{s.guest.name}.cfg && echo made; done")
    s.source.suite("go_on", "send")
    status = s.sent()
    s.source.run("touch /run/suite/enough")
    s.source.suite("status", "manager", 120)
    made = s.source.suite("output", "manager")
    expect("made" not in made.splitlines(), f"the old configuration was started: {made[-300:]}")
    if status == 6:  # it was just being tried
        status, s.said = recover(s)
    expect(status == 0, f"xmig ended with {status}: {s.said[-400:]}")
    s.arrived(at)


def volume_is_fenced(s):
    """A volume cannot be renamed: it is read-only from COMMIT on, and writable for whoever gets it back."""
    lines = f"disk=[{disk('m1', 'hda', 'raw')},'format=raw,vdev=hdb,access=rw,target=/dev/lab/m1']"
    guest = make(s, "m1", lines, prepare=f"{LVM} && lvcreate -qq -y -L 16M -n m1 lab && lvcreate -qq -y -L 16M -n m2 lab")
    options = ["--disk", "hdb=/dev/lab/m2"]
    read_only, again = "blockdev --getro /dev/lab/m1", "xl create -q /lab/m1.cfg"

    sends(s, guest, *options, "--fault", COMMIT, *CLOSES_ON)
    s.await_stopped("send")
    s.target.suite("strike", "dm")
    s.source.suite("go_on", "send")
    expect_status(4, settle(s, s.sent()), "", s.said)
    expect(s.source.run(read_only).strip() == "0", "the volume of a guest that stays is read-only")
    guest.goes_on()
    s.is_clean()
    at = sends(s, guest, *options, "--overwrite", "hdb", "--fault", OWNED, *CLOSES_ON)
    s.await_stopped("recv")
    expect(s.source.run(read_only).strip() == "1", "the volume is not fenced")
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect(status == 0, f"xmig send ended with {status}: {s.last_words()}")
    guest.moved(at).goes_on()
    # Only the volume is in its way now.
    s.source.run(f"mv /lab/m1.hda.raw.moved-* /lab/m1.hda.raw; ! {again} 2>/dev/null && ! xl list m1 2>/dev/null")
    s.source.run(f"xmig fence off /dev/lab/m1 && [ $({read_only}) = 0 ]")
    s.is_clean()


# ---- a pause without an end ----

def hung_while_paused(s, point):
    """The target stands still, and the guest with it: not for longer than --max-pause."""
    domid = s.guest.domid()
    s.start_send("--fault", point + ":stop", "--max-pause", "20s", "--lease", "60s")
    s.await_stopped("recv")
    s.source.suite("await_ticks", s.guest.name, 3, 300)
    s.target.suite("go_on", "recv")
    status = s.sent()
    expect_status(4, status, "max-pause", s.said)
    s.stayed(domid)


scenario("one-4.17", "copy-let-run-goes-on", copy_let_run_goes_on)
scenario("one-4.17", "copy-let-run-forward", copy_let_run_is_chosen, "--forward", 0)
scenario("one-4.17", "copy-let-run-back", copy_let_run_is_chosen, "--back", 4)
scenario("one-4.17", "unpaused-while-suspended", unpaused_while_suspended, rung=FULL)
scenario("one-4.17", "resumed-at-PREPARED", resumed, PREPARED, "recv")
scenario("one-4.17", "resumed-at-COMMIT", resumed, COMMIT, "send", rung=FULL)
scenario("one-4.17", "resumed-at-OWNED", resumed_after_go)
scenario("one-4.17", "paused-under-way", stopped_under_way)
scenario("one-4.17", "turned-off-under-way", turned_off_and_kept)
scenario("one-4.17", "started-by-a-service-manager", started_before_the_fence)
scenario("one-4.17", "volume-is-fenced", volume_is_fenced)
for a_point in ("ram-stream:end:recv", "PREPARED:after:recv"):
    scenario("one-4.17", "hung-while-paused-at-" + a_point.split(":")[0], hung_while_paused, a_point,
             rung=LONG if a_point.startswith("ram-stream") else FULL)
