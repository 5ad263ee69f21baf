#!/usr/bin/env python3
"""The guest's pause is bounded: whatever hangs or is slow at the switch, the guest runs on at the
source within --max-pause and a second, with all its writes.

    test-pause.py [UNITTEST ARGUMENTS]      needs build/release/xmig
"""

import json
import os
import signal
import threading
import unittest

from moving import Scene, Watch, is_stopped, lanes, receivers

MAX_PAUSE_S = 2


class Events:
    """What `xmig send --json` says, as it says it."""

    def __init__(self, sender):
        self.seen = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, args=(sender,), daemon=True)
        self.thread.start()

    def read(self, sender):
        for line in sender.stdout:
            with self.changed:
                self.seen.append(json.loads(line))
                self.changed.notify_all()

    def wait(self, timeout_s=120, **members):
        def find():
            return [event for event in self.seen if members.items() <= event.items()]
        with self.changed:
            assert self.changed.wait_for(find, timeout_s), f"waited {timeout_s} s for {members}: {self.seen[-3:]}"
            return find()[0]


class Pause(unittest.TestCase):
    def setUp(self):
        self.scene = Scene(disks=1, size=24, content=4, disk_load="4,200,4", ram_load="8,2,rand")
        self.scene.__enter__()
        self.stopped = []

    def tearDown(self):
        self.let_go()
        self.scene.__exit__()

    def stop(self, pids):
        self.assertTrue(pids, "nobody to stop")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.stopped += pids

    def let_go(self):
        for pid in self.stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.stopped = []

    def survive(self, sender, events, watch):
        """Somebody hangs: the guest runs on here all the same, and nothing is left over."""
        events.wait(type="undo", timeout_s=MAX_PAUSE_S + 30)
        watch.wait_beats(20)
        self.let_go()
        sender.wait(120)
        result = events.wait(type="result")
        self.assertEqual((sender.returncode, result["where"]), (4, "source"), result)
        self.assertIn("--max-pause permits (2.0 s)", result["error"]["text"])
        self.assertLess(watch.longest_s, MAX_PAUSE_S + 1)
        self.assertEqual(watch.ask("verify", 120), "V ok")
        self.assertEqual(self.scene.guest.state(), "running")
        self.scene.wait(lambda: not self.scene.processes("-incoming"), "the target's QEMU to be gone")

    def send(self, *options):
        sender = self.scene.start_send("--max-pause", f"{MAX_PAUSE_S}s", *options)
        return sender, Events(sender)

    def stopped_receiver(self):
        found = []

        def look():
            found[:] = [pid for pid in receivers(self.scene) if is_stopped(pid)]
            return found
        self.scene.wait(look, "the receiver to stop itself")
        return found[0]

    def test_a_disks_lane_that_hangs(self):
        """QEMU waits for the mirror, with the guest stopped, and answers nobody."""
        with Watch(self.scene.guest.heartbeat) as watch:
            watch.wait_beats(5)
            sender, events = self.send()
            events.wait(type="record", record="PAUSING")
            self.stop(lanes(self.scene))
            self.survive(sender, events, watch)

    def test_a_targets_qemu_that_hangs(self):
        with Watch(self.scene.guest.heartbeat) as watch:
            watch.wait_beats(5)
            sender, events = self.send("--fault", "ram-stream:end:recv:stop")
            receiver = self.stopped_receiver()
            self.stop(self.scene.processes("-incoming", "-S"))
            os.kill(receiver, signal.SIGCONT)
            self.survive(sender, events, watch)


if __name__ == "__main__":
    unittest.main(verbosity=2)
