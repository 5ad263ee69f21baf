"""kill -9 of the sender, the receiver, ssh or the target's device model; the power fails. Then
xmig recover: the guest lives once.
"""

from lab import expect
from table import scenario

# Where one side is stopped, so that the moment is exact.
STAGES = ["params-copy:end:recv", "qemu-defer-start:end:recv", "drive-mirror:end:send",
          "block-ready-wait:end:send", "ram-stream:begin:send"]
LINES = ["PAUSING:after:send", "PREPARED:after:recv", "COMMIT:after:send", "OWNED:after:recv",
         "RESUMING:after:recv", "RUNNING:after:recv", "DONE:after:send"]
MORE = ["ram-stream:begin:recv", "ram-stream:end:send", "ram-stream:end:recv", "PAUSING:before:send",
        "PREPARED:before:recv", "COMMIT:before:send", "OWNED:before:recv", "RESUMING:before:recv",
        "RUNNING:before:recv", "DONE:before:send"]
IN_CHECK = {"ram-stream:begin:send", "PREPARED:after:recv", "COMMIT:after:send", "OWNED:after:recv",
            "RESUMING:after:recv"}
VICTIMS = ["sender", "receiver", "ssh", "dm"]
LIVED = ("RESUMING", "RUNNING", "DONE")  # from there on, the target's copy may have run


def migration_of(s):
    return s.source.run("ls -t /var/lib/xmig | head -n 1").strip()


def settle(s, status):
    """What a person does then: recover at the source, and then at the target. What the source's
    says counts.
    """
    migration = migration_of(s)
    last, _ = s.source.run(f"xmig list --json | grep -q '\"{migration}\".*\"side\":\"send\"'", check=False)
    if status not in (0, 4, 7) or last == 0:
        status, _ = s.source.run(f"xmig recover -v --side send {migration}", limit=600, check=False)
    if s.target.exists(f"/var/lib/xmig/{migration}/recv.journal"):
        s.target.run(f"xmig recover -v --discard --side recv {migration}", limit=600, check=False)
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


def died_once(s, at, status):
    """The target's copy may have run, and died: it is not started again, but only by a person."""
    expect(status in (0, 8), f"the status is {status}")
    for host in {s.source, s.target}:
        for name, state in host.domains().items():
            expect(name == "Domain-0" or set(state) & set("psdc"), f"{name} runs on {host.name}")
    del at


def killed(s, victim, moment):
    at, domid = s.destination(), s.guest.domid()
    side = moment.split(":")[2]
    s.start_send("--fault", moment + ":stop", "--lease", "60s")
    s.await_stopped(side)
    (s.source if victim in ("sender", "ssh") else s.target).suite("strike", victim)
    s.host_of(side).suite("go_on", side)
    status = settle(s, s.sent())
    if victim == "dm" and moment.split(":")[0] in LIVED:
        died_once(s, at, status)
    else:
        lives_once(s, at, domid, status)


def power_fails(s, number, moment):
    """Of the host `number`, while the side of `moment` stands still."""
    at, domid = s.destination(), s.guest.domid()
    side = moment.split(":")[2]
    s.start_send("--fault", moment + ":stop", "--lease", "60s")
    s.await_stopped(side)
    s.hosts[number - 1].power_fails()
    s.hosts[number - 1].boot()
    if number == 2:
        if side == "send":
            s.source.suite("go_on", "send")
        status = settle(s, s.sent())
        lives_once(s, at, domid, status)
    elif side == "recv":
        s.target.suite("go_on", "recv")
        expect(settle(s, 6) in (0, 7), "recover does not say that the target has it")
        expect(at.name in s.target.domains(), "the guest is not at the target")
        at.goes_on()


def add(moments, victims, in_check):
    for moment in moments:
        for victim in victims:
            if victim == "dm" and moment.startswith("params-copy"):
                continue
            scenario("one-4.17", f"{victim}-killed-at-" + moment.replace(":", "-"), killed, victim, moment,
                     check=moment in in_check)


add(STAGES + LINES + MORE, VICTIMS, IN_CHECK)
for a_victim in ("sender", "receiver", "dm"):
    scenario("two-4.17", f"{a_victim}-killed-at-COMMIT", killed, a_victim, "COMMIT:after:send")
    scenario("one-4.20", f"{a_victim}-killed-at-COMMIT", killed, a_victim, "COMMIT:after:send")
for a_moment in ("ram-stream:end:recv", "PREPARED:after:recv", "OWNED:after:recv"):
    scenario("two-4.17", "target-power-fails-at-" + a_moment.replace(":", "-"), power_fails, 2, a_moment,
             check=a_moment.startswith("OWNED"))
scenario("two-4.17", "source-power-fails-at-OWNED", power_fails, 1, "OWNED:after:recv")
