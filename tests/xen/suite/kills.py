"""kill -9 of the sender, the receiver, ssh or the target's device model; the power fails. Then
xmig recover, or a guardian: the guest lives once.
"""

from lab import expect
from table import CHECK, FULL, LONG, scenario

# Where one side is stopped, so that the moment is exact. What is on disk before a record is what is after the last.
STAGES = ["params-copy:end:recv", "qemu-defer-start:end:recv", "drive-mirror:end:send",
          "block-ready-wait:end:send", "ram-stream:begin:send"]
LINES = ["PAUSING:after:send", "PREPARED:after:recv", "COMMIT:after:send", "OWNED:after:recv", "RESUMING:after:recv",
         "RUNNING:after:recv", "DONE:after:send"]
# The sender before the hand-over and in it; the receiver where it has most to lose.
IN_CHECK = {"sender ram-stream:begin:send", "receiver PREPARED:after:recv",
            "sender COMMIT:after:send"}
# Of the rest: each moment, and each victim.
IN_LONG = {"receiver params-copy:end:recv", "ssh qemu-defer-start:end:recv", "sender drive-mirror:end:send",
           "receiver ram-stream:begin:send", "sender PAUSING:after:send",
           "ssh PREPARED:after:recv", "dm PREPARED:after:recv", "ssh COMMIT:after:send", "receiver OWNED:after:recv",
           "dm RESUMING:after:recv", "dm RUNNING:after:recv", "sender DONE:after:send"}
# Over TLS; a listener is the receiver's sshd, and none of what it has begun ends with it.
OVER_TLS = {("sender", "RESUMING:after:recv"): CHECK, ("listener", "COMMIT:after:send"): LONG,
            ("receiver", "PREPARED:after:recv"): FULL, ("listener", "ram-stream:begin:send"): FULL,
            ("listener", "PREPARED:after:recv"): FULL, ("listener", "OWNED:after:recv"): FULL}
VICTIMS = ["sender", "receiver", "ssh", "dm"]
HANDED_OVER = ("COMMIT", "OWNED", "RESUMING", "RUNNING", "DONE")
LIVED = ("RUNNING", "DONE")  # from there on, the target's copy has run


def migration_of(s):
    return s.source.run("ls -t /var/lib/xmig | head -n 1").strip()


def is_settled(s, migration):
    """xmig list names what is not."""
    listed = f"xmig list --json | grep '\"{migration}\"' | grep -q '\"side\":\"send\"'"
    return s.source.run(listed, check=False)[0] != 0


def settle(s, status):
    """What a person does then: recover at the source, and then at the target. Returns the exit
    status that counts: the source's last one.
    """
    migration = migration_of(s)
    if status not in (0, 4, 7) or not is_settled(s, migration):
        status, _ = s.source.run(f"xmig recover -v --side send {migration}", check=False)
    if s.target.exists(f"/var/lib/xmig/{migration}/recv.journal"):
        s.target.run(f"xmig recover -v --discard --side recv {migration}", check=False)
    return status


def lives_once(s, at, domid, status):
    """As the exit status says."""
    domains = {host.number: host.domains() for host in {s.source, s.target}}
    running = [(number, name) for number, found in domains.items() for name, state in found.items()
               if name != "Domain-0" and not set(state) & set("psdc")]
    expect(len(running) == 1, f"not one copy runs: {domains}")
    if status in (0, 7):
        expect(running == [(at.host.number, at.name)], f"status {status}, but {running}")
        s.arrived(at)
    else:
        expect(status == 4, f"the status is {status}, and {running}")
        s.stayed(domid)


def is_the_targets(s, at, status):
    """It ran there, and its device model has died since, as it can with any guest: it is for a
    person to start it anew, there.
    """
    expect(status in (0, 7, 8), f"the status is {status}")
    expect(at.name in s.target.domains(), f"{at.name} is not on {s.target.name}")
    expect(s.guest.name not in s.source.domains(), "the old copy is still there")


def killed(s, victim, moment, tls=False):
    at, domid = s.destination(), s.guest.domid()
    side = moment.split(":")[2]
    s.start_send("--fault", moment + ":stop", "--lease", "60s", "--no-guardian", dest=s.listen() if tls else None)
    s.await_stopped(side)
    (s.source if victim in ("sender", "ssh") else s.target).suite("strike", victim)
    if victim == "listener":
        s.target.suite("listen")
    s.host_of(side).suite("go_on", side)
    status = settle(s, s.sent())
    if victim == "dm" and moment.split(":")[0] in LIVED:
        is_the_targets(s, at, status)
    else:
        lives_once(s, at, domid, status)


def guarded(s, moment, tls=False):
    """There is neither a sender nor a receiver any more, and nobody types anything."""
    at, domid = s.destination(), s.guest.domid()
    side, owner = moment.split(":")[2], 0 if moment.split(":")[0] in HANDED_OVER else 4
    s.start_send("--fault", moment + ":stop", "--lease", "60s", dest=s.listen() if tls else None)
    s.await_stopped(side)
    # The one that stands still does not see the other one's end.
    for victim in ("receiver", "sender") if side == "send" else ("sender", "receiver"):
        (s.source if victim == "sender" else s.target).suite("strike", victim)
    for host in {s.source, s.target}:
        host.suite("await", 60, "sh", "-c", "! xmig list --json | grep -q '\"type\":\"migration\"'")
    lives_once(s, at, domid, owner)


def target_power_fails(s, moment):
    """While the receiver stands still at `moment`."""
    at, domid = s.destination(), s.guest.domid()
    s.start_send("--fault", moment + ":stop", "--lease", "60s", "--no-guardian")
    s.await_stopped("recv")
    s.target.power_fails()
    s.target.boot()
    lives_once(s, at, domid, settle(s, s.sent()))


def source_power_fails(s, moment):
    """The target has it already."""
    at = s.destination()
    s.start_send("--fault", moment + ":stop", "--lease", "60s", "--no-guardian")
    s.await_stopped("recv")
    before = s.guest.printed()
    s.source.power_fails()
    s.source.boot()
    s.source.run(f"! xl create -q /lab/{s.guest.name}.cfg 2>/dev/null")  # as a service manager would
    s.target.suite("go_on", "recv")
    status = settle(s, None)
    expect(status in (0, 7), f"xmig recover ends with {status}")
    expect(at.name in s.target.domains(), "the guest is not at the target")
    at.before = before
    at.goes_on()
    s.is_clean()


def rung_of(victim, moment):
    if f"{victim} {moment}" in IN_CHECK:
        return CHECK
    return LONG if f"{victim} {moment}" in IN_LONG else FULL


def add(moments, victims):
    for moment in moments:
        for victim in victims:
            if victim == "dm" and moment.startswith("params-copy"):
                continue
            scenario("one-4.17", f"{victim}-killed-at-" + moment.replace(":", "-"), killed, victim, moment,
                     rung=rung_of(victim, moment))


add(STAGES + LINES, VICTIMS)
for (a_victim, a_moment), a_rung in OVER_TLS.items():
    scenario("one-4.17", f"{a_victim}-killed-at-" + a_moment.replace(":", "-") + "-over-tls", killed, a_victim, a_moment,
             tls=True, rung=a_rung)
scenario("one-4.17", "guarded-at-COMMIT-after-send-over-tls", guarded, "COMMIT:after:send", tls=True)
for a_moment in LINES:
    scenario("one-4.17", "guarded-at-" + a_moment.replace(":", "-"), guarded, a_moment,
             rung=LONG if a_moment == "OWNED:after:recv" else FULL)
for a_moment in ("PREPARED:after:recv", "COMMIT:after:send"):
    scenario("two-4.17", "guarded-at-" + a_moment.replace(":", "-"), guarded, a_moment,
             rung=LONG if a_moment.startswith("COMMIT") else FULL)
for a_victim in ("sender", "receiver", "dm"):
    scenario("two-4.17", f"{a_victim}-killed-at-COMMIT", killed, a_victim, "COMMIT:after:send",
             rung=LONG if a_victim == "receiver" else FULL)
    scenario("one-4.20", f"{a_victim}-killed-at-COMMIT", killed, a_victim, "COMMIT:after:send",
             rung=LONG if a_victim == "sender" else FULL)
for a_moment in ("ram-stream:end:recv", "PREPARED:after:recv", "OWNED:after:recv"):
    scenario("two-4.17", "target-power-fails-at-" + a_moment.replace(":", "-"), target_power_fails, a_moment,
             rung=LONG if a_moment.startswith("PREPARED") else FULL)
scenario("two-4.17", "source-power-fails-at-OWNED", source_power_fails, "OWNED:after:recv")
