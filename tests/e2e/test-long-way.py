#!/usr/bin/env python3
"""A VM moves over a long way: from one host to the other it takes a while, and each answer as long again.

    test-long-way.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import json
import os
import re
import socket
import sys
import threading
import time
import unittest

from moving import HERE
from ssh_scene import Scene

LATE = os.path.join(HERE, "late.py")


class LongWay(Scene):
    """Each byte takes `late_ms` to the other host, and back."""

    def __init__(self, late_ms, disks, *configuration, **more):
        super().__init__(disks, *configuration, **more)
        self.late_ms = late_ms
        self.words += ["-qmp", f"unix:{self.folder}/hand,server=on,wait=off"]

    def start_server(self):
        super().start_server()
        self.configure_client(f"ProxyCommand {sys.executable} {LATE} {self.late_ms} %h %p")


class Monitor:
    """A second one, beside xmig's."""

    def __init__(self, scene):
        self.stopped = threading.Event()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(scene.folder + "/hand")
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def close(self):
        self.lines.close()
        self.sock.close()

    def ask(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        answer = {}
        while "return" not in answer:
            answer = json.loads(self.lines.readline())
            if answer.get("event") == "STOP":
                self.stopped.set()


class Writer:
    """Writes to the first disk, as the VM would, as long as the VM runs."""

    def __init__(self, scene, times_a_second):
        self.monitor = Monitor(scene)
        self.pause_s = 1 / times_a_second
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.monitor.stopped.set()
        self.thread.join()
        self.monitor.close()

    def run(self):
        offset = 0
        while not self.monitor.stopped.wait(self.pause_s):
            try:
                self.monitor.ask("human-monitor-command", **{"command-line": f'qemu-io d0 "write {offset} 4k"'})
            except (OSError, ValueError):  # QEMU has ended
                return
            offset = (offset + 65536) % (1 << 20)


class Stopwatch:
    """How long QEMU's main loop stands still at most, and the guest's devices with it."""

    def __init__(self, scene):
        self.monitor = Monitor(scene)
        self.over = threading.Event()
        self.longest_s = 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.monitor.close()

    def run(self):
        while not self.over.wait(0.001):
            begin = time.monotonic()
            try:
                self.monitor.ask("query-status")
            except (OSError, ValueError):  # QEMU has ended
                return
            self.longest_s = max(self.longest_s, time.monotonic() - begin)


class LongWays(unittest.TestCase):
    def downtime(self, output):
        """In seconds, with its parts, as a person is told."""
        found = re.search(r"with ([0-9.]+) (m?)s of downtime", output)
        self.assertTrue(found, output)
        return float(found[1]) / (1000 if found[2] else 1)

    def test_twelve_disks_cost_the_guest_no_round_trip_each(self):
        """Neither while their lanes open, nor in the pause: to flush them one after the other would take 2.4 s."""
        with LongWay(100, 12) as scene, Stopwatch(scene) as watch:
            status, output = scene.send()
            self.assertEqual(status, 0, output)
            self.assertLess(watch.longest_s, 2, output)
            self.assertLess(self.downtime(output), 2.4, output)

    def test_a_disk_that_is_written_to_all_the_time_is_waited_for_no_longer(self):
        """With 300 writes a second there is always one under way for a round trip."""
        with LongWay(25, 1) as scene, Writer(scene, 300):
            status, output = scene.send("--deadline", "120s")
            self.assertEqual(status, 0, output)
            self.assertTrue(scene.moved())


if __name__ == "__main__":
    unittest.main()
