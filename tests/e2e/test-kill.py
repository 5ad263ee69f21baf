#!/usr/bin/env python3
"""kill -9 of the sender, the receiver, ssh or the target's QEMU, at ram-stream and at each line
of the commit table, without a guardian; then `xmig recover`. Never two running copies, the guest runs once and finds
every write it was told of, nothing is left over.

    test-kill.py [--long] [UNITTEST ARGUMENTS]      --long: before and after every record
"""

import json
import os
import signal
import sys
import unittest

from moving import Scene, Watch, is_stopped, receivers

# Where one side is stopped, so that the moment is exact: --fault POINT:stop.
MOMENTS = ["ram-stream:begin:send", "PAUSING:after:send", "PREPARED:after:recv", "COMMIT:after:send",
           "OWNED:after:recv", "RESUMING:after:recv", "DONE:after:send"]
MORE_MOMENTS = ["ram-stream:begin:recv", "RUNNING:after:recv", "PAUSING:before:send", "ram-stream:end:send", "ram-stream:end:recv", "PREPARED:before:recv",
                "COMMIT:before:send", "OWNED:before:recv", "RESUMING:before:recv", "RUNNING:before:recv",
                "DONE:before:send"]
VICTIMS = ["sender", "receiver", "ssh", "qemu"]


def signal_if_there(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Kill(unittest.TestCase):
    """One guest lives through all of it, as long as it lives."""

    scene = None

    @classmethod
    def setUpClass(cls):
        cls.scene = Scene(disks=2, size=24, content=4, disk_load="4,200,4", ram_load="8,2,rand")
        cls.scene.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scene.__exit__()

    def setUp(self):
        self.output = ""
        if self.scene.guest.state() != "running":
            self.tearDownClass()
            self.setUpClass()

    # ---- the blow ----

    def stopped_process(self, sender, side):
        found = []

        def look():
            candidates = [sender.pid] if side == "send" else receivers(self.scene)
            found[:] = [pid for pid in candidates if is_stopped(pid)]
            return found or sender.poll() is not None
        self.scene.wait(look, f"the {side} side to stop", 120)
        self.assertTrue(found, "the sender ended before the moment came")
        return found[0]

    def strike(self, sender, victim):
        pids = {"sender": lambda: [sender.pid],
                "receiver": lambda: receivers(self.scene),
                "ssh": lambda: self.scene.processes("ssh-ctl"),
                "qemu": lambda: self.scene.processes("-incoming", "-S")}[victim]()
        self.assertTrue(pids, f"no {victim} to kill")
        for pid in pids:
            signal_if_there(pid, signal.SIGKILL)  # ssh's others end with its master

    def blow(self, moment, victim):
        """The migration's id and the sender's exit status, None if it was killed."""
        sender = self.scene.start_send("--fault", moment + ":stop", "--lease", "60s")
        stopped = self.stopped_process(sender, moment.rpartition(":")[2])
        self.strike(sender, victim)
        signal_if_there(stopped, signal.SIGCONT)
        sender.communicate(timeout=240)
        migration = self.scene.migrations("source")[-1]
        return migration, (sender.returncode if sender.returncode >= 0 else None)

    # ---- what a person does then ----

    def recover(self, migration):
        """Exit status of recover at the source, after which the target settles as well."""
        status = self.scene.xmig("source", "recover", migration)
        self.output = status.stdout
        if migration in self.scene.migrations("target"):
            target = self.scene.xmig("target", "recover", "--discard", migration)
            self.output += target.stdout
        return status.returncode

    def finished(self, migration):
        journal = os.path.join(self.scene.environment("source")["XMIG_STATE_DIR"], migration, "send.journal")
        with open(journal, "rb") as file:
            lines = file.read().rstrip(b"\0").splitlines()
        return json.loads(lines[-1].split(b" ", 1)[1])["record"] == "CLOSED"

    def runs(self):
        """Which of the two copies run."""
        copies = (self.scene.guest, self.scene.next_guest())
        return [name for name, copy in zip(("source", "target"), copies) if copy.state() == "running"]

    def survive(self, moment, victim):
        with Watch(self.scene.guest.heartbeat, self.scene.next_guest().heartbeat) as watch:
            watch.wait_beats(3)
            migration, status = self.blow(moment, victim)
            if status is None or status in (5, 6, 8) or not self.finished(migration):
                status = self.recover(migration)
            else:
                self.scene.xmig("target", "recover", "--discard", migration)
            where = self.runs()
            if victim == "qemu" and moment.split(":")[0] in ("RESUMING", "RUNNING", "DONE"):
                # The target owned it, and its QEMU was killed: the guest runs nowhere, once for all.
                self.assertEqual((where, status in (0, 8)), ([], True), self.output)
                return
            self.assertEqual(where, ["target"] if status in (0, 7) else ["source"], self.output)
            watch.wait_beats(10)
            self.assertEqual(watch.ask("verify", 120), "V ok")
        if where == ["target"]:
            self.scene.moved()
        self.assert_nothing_left_over()

    def assert_nothing_left_over(self):
        scene = self.scene
        self.assertEqual(len(scene.processes("qemu-system")), 1)
        self.assertEqual(receivers(scene), [])
        self.assertEqual([name for name in os.listdir(scene.vm_folder) if "partial" in name], [])
        ours = set(scene.guest.images())
        target = set(scene.next_guest().images())
        self.assertFalse(target - ours, "images of a copy that does not run")


def add_tests(moments):
    for moment in moments:
        for victim in VICTIMS:
            def test(self, moment=moment, victim=victim):
                self.survive(moment, victim)
            name = f"test_kill_{victim}_at_{moment.replace(':', '_').replace('-', '_')}"
            setattr(Kill, name, test)


if __name__ == "__main__":
    LONG = "--long" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--long"]
    add_tests(MOMENTS + (MORE_MOMENTS if LONG else []))
    unittest.main(verbosity=2)
