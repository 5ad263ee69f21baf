#!/usr/bin/env python3
"""kill -9 of the sender, the receiver, both, or ssh, at lines of the commit table, and nobody types
anything: within ten seconds exactly one copy runs, where the journals say, and no write is lost;
then both journals are closed, and the guardians are gone.

    test-guardian.py [--long] [UNITTEST ARGUMENTS]      --long: every moment, every victim
"""

import json
import os
import signal
import sys
import time
import unittest

from moving import Scene, Watch, is_stopped, receivers

# Where one side is stopped, so that the moment is exact: --fault POINT:stop.
MOMENTS = ["ram-stream:begin:send", "PAUSING:after:send", "PREPARED:after:recv", "COMMIT:after:send",
           "OWNED:after:recv", "RESUMING:after:recv", "RUNNING:after:recv", "DONE:after:send"]
VICTIMS = ["sender", "receiver", "both", "ssh"]
IN_CHECK = [("both", "PREPARED:after:recv"), ("both", "COMMIT:after:send")]
TARGETS = ("COMMIT", "OWNED", "RESUMING", "RUNNING", "DONE")  # from there on it is the target's
SETTLED_S = 10


def signal_if_there(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def guardians(scene):
    """`xmig guard` knows of its scene by its environment only."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if words[1:2] == [b"guard"] and scene.folder.encode() in environment:
            found.append(int(pid))
    return found


class Guardian(unittest.TestCase):
    """One guest lives through all of it."""

    scene = None

    @classmethod
    def setUpClass(cls):
        cls.scene = Scene(disks=1, size=24, content=4, disk_load="4,200,4", ram_load="8,2,rand")
        cls.scene.guarded = True
        cls.scene.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scene.__exit__()

    # ---- the blow ----

    def stop_at(self, moment):
        """The sender, and the process that stands still at `moment`."""
        sender = self.scene.start_send("--fault", moment + ":stop", "--lease", "60s")
        side, found = moment.rpartition(":")[2], []

        def look():
            candidates = [sender.pid] if side == "send" else receivers(self.scene)
            found[:] = [pid for pid in candidates if is_stopped(pid)]
            return found or sender.poll() is not None
        self.scene.wait(look, moment, 120)
        self.assertTrue(found, "the sender ended before the moment came")
        self.scene.wait(lambda: len(guardians(self.scene)) == 2, "both guardians")
        return sender, found[0]

    def strike(self, sender, victim):
        pids = {"sender": lambda: [sender.pid],
                "receiver": lambda: receivers(self.scene),
                "both": lambda: [sender.pid] + receivers(self.scene),
                "ssh": lambda: self.scene.processes("ssh-ctl")}[victim]()
        self.assertTrue(pids, f"no {victim} to kill")
        for pid in pids:
            signal_if_there(pid, signal.SIGKILL)

    # ---- what must hold ----

    def runs(self):
        """Which of the two copies run."""
        copies = (self.scene.guest, self.scene.next_guest())
        return [name for name, copy in zip(("source", "target"), copies) if copy.state() == "running"]

    def is_closed(self, side):
        listed = self.scene.xmig(side, "list", "--json").stdout
        return [json.loads(line)["type"] for line in listed.splitlines()] == ["result"]

    def assert_settled(self, where, since):
        """Never two, soon one, and then nobody has anything left to do."""
        seen = []

        def is_there():
            seen[:] = self.runs()
            self.assertLess(len(seen), 2, "two copies run")
            return seen == [where]
        self.scene.wait(is_there, f"the guest to run at the {where}", 60)
        took = time.monotonic() - since
        self.assertLess(took, SETTLED_S)
        self.scene.wait(lambda: self.is_closed("source") and self.is_closed("target"), "both journals to be closed", 60)
        closed = time.monotonic()
        self.scene.wait(lambda: not guardians(self.scene), "the guardians to end", 60)
        self.assertLess(time.monotonic() - closed, 1)
        self.assertEqual(self.runs(), [where])
        return took

    def survive(self, victim, moment):
        where = "target" if moment.split(":")[0] in TARGETS else "source"
        with Watch(self.scene.guest.heartbeat, self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
            sender, stopped = self.stop_at(moment)
            since = time.monotonic()
            self.strike(sender, victim)
            signal_if_there(stopped, signal.SIGCONT)
            took = self.assert_settled(where, since)
            sender.communicate(timeout=60)
            print(f"{victim} at {moment}: runs at the {where} after {took:.1f} s", file=sys.stderr)
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")
        if where == "target":
            self.scene.moved()
        self.assert_nothing_left_over()

    def assert_nothing_left_over(self):
        scene = self.scene
        self.assertEqual(len(scene.processes("qemu-system")), 1)
        self.assertEqual(receivers(scene), [])
        self.assertEqual([name for name in os.listdir(scene.vm_folder) if "partial" in name], [])
        self.assertFalse(set(scene.next_guest().images()) - set(scene.guest.images()), "images of a copy that does not run")


def add_tests(cases):
    for victim, moment in cases:
        def test(self, victim=victim, moment=moment):
            self.survive(victim, moment)
        setattr(Guardian, f"test_kill_{victim}_at_{moment.replace(':', '_').replace('-', '_')}", test)


if __name__ == "__main__":
    LONG = "--long" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--long"]
    add_tests([(victim, moment) for victim in VICTIMS for moment in MOMENTS] if LONG else IN_CHECK)
    unittest.main(verbosity=2)
