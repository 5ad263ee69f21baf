#!/usr/bin/env python3
"""A running guest with its disks moves over TLS, to a listener that a policy restrains, and is recovered over TLS.

    test-tls-move.py [UNITTEST ARGUMENTS]      needs build/release/xmig and root or KVM-less QEMU
"""

import contextlib
import os
import re
import subprocess
import threading
import time
import unittest

from moving import XMIG, Watch
from over_tls import TlsScene


class Peak(threading.Thread):
    """The most memory that a process takes until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kib = pid, 0
        with open(XMIG, "rb") as file:
            self.is_instrumented = b"libasan" in file.read()
        self.start()

    def run(self):
        with contextlib.suppress(OSError, TypeError):
            while True:
                with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                    self.kib = int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)[1])
                time.sleep(0.05)

    def mib(self):
        self.join()
        if os.environ.get("XMIG_TEST_TELL"):
            print(f"xmig send took at most {self.kib / 1024:.1f} MiB")
        return self.kib / 1024


class TlsMove(unittest.TestCase):
    def test_moves_and_loses_nothing_though_the_listener_is_told_to_end(self):
        """What is under way gets the lanes that it needs, also those of later."""
        with TlsScene(disks=2, image_format="qcow2") as scene:
            target = scene.next_guest()
            with Watch(scene.guest.heartbeat, target.heartbeat) as watch:
                watch.wait_beats(5)
                process = scene.start_send("--bwlimit", "30M")
                peak = Peak(process.pid)
                scene.wait(lambda: self.lanes(scene), "a lane")
                scene.listener.process.terminate()
                scene.listener.wait_for("no more migrations; 1 is awaited")
                result = scene.result_of(process)
                self.assertEqual((process.returncode, result["where"]), (0, "target"),
                                 (result, scene.listener.text()))
                self.assertLess(peak.mib(), 24 * (8 if peak.is_instrumented else 1))
                watch.wait_move()
                watch.wait_beats(20)
                self.assertEqual(watch.ask("verify", 120), "V ok")
            self.assertEqual(scene.listener.process.wait(60), 0)
            self.assertEqual((scene.guest.state(), target.state()), ("gone", "running"))

    def test_a_sender_that_dies_is_recovered_over_tls(self):
        with TlsScene(disks=1) as scene:
            process = scene.start_send("--fault", "COMMIT:after:send:crash")
            process.wait(180)
            done = scene.xmig("source", "recover", scene.migrations("source")[0])
            self.assertEqual(done.returncode, 0, done.stdout + scene.listener.text())
            self.assertEqual((scene.guest.state(), scene.next_guest().state()), ("gone", "running"))

    def lanes(self, scene):
        """Children that serve connections: one is the session's."""
        children = subprocess.run(["pgrep", "-P", str(scene.listener.process.pid)], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout.split()
        return len(children) > 1


if __name__ == "__main__":
    unittest.main(verbosity=2)
