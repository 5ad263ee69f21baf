#!/usr/bin/env python3
"""A VM moves over a long way: from one host to the other it takes a while, and each answer as long again.

    test-long-way.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import json
import os
import socket
import sys
import threading
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


class Writer:
    """Writes to the first disk, as the VM would, as long as the VM runs."""

    def __init__(self, scene, times_a_second):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(scene.folder + "/hand")
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.over = threading.Event()
        self.pause_s = 1 / times_a_second
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.lines.readline()
        self.ask("qmp_capabilities")
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.lines.close()
        self.sock.close()

    def ask(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        answer = {}
        while "return" not in answer:
            answer = json.loads(self.lines.readline())
            if answer.get("event") == "STOP":
                self.over.set()

    def run(self):
        offset = 0
        while not self.over.wait(self.pause_s):
            try:
                self.ask("human-monitor-command", **{"command-line": f'qemu-io d0 "write {offset} 4k"'})
            except (OSError, ValueError):  # QEMU has ended
                return
            offset = (offset + 65536) % (1 << 20)


class LongWays(unittest.TestCase):
    def test_a_disk_that_is_written_to_all_the_time_is_waited_for_no_longer(self):
        """With 300 writes a second there is always one under way for a round trip."""
        with LongWay(25, 1) as scene, Writer(scene, 300):
            status, output = scene.send("--deadline", "120s")
            self.assertEqual(status, 0, output)
            self.assertTrue(scene.moved())


if __name__ == "__main__":
    unittest.main()
