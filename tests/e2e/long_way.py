"""A long way between two hosts, and what a VM's hypervisor does meanwhile."""

import json
import os
import socket
import sys
import threading
import time

from moving import HERE
from ssh_scene import Scene

LATE = os.path.join(HERE, "late.py")


class LongWay(Scene):
    """Each byte takes `late_ms` to the other host, and back. There is a second monitor."""

    def __init__(self, late_ms, disks, *configuration, **more):
        super().__init__(disks, *configuration, **more)
        self.late_ms = late_ms
        self.words += ["-qmp", f"unix:{self.folder}/hand,server=on,wait=off"]

    def start_server(self):
        super().start_server()
        self.be_late(self.late_ms)
        self.configure_client(f"ProxyCommand {sys.executable} {LATE} {self.folder}/late %h %p")

    def be_late(self, late_ms):
        """From now on."""
        with open(self.folder + "/late.new", "w", encoding="ascii") as file:
            file.write(str(late_ms))
        os.rename(self.folder + "/late.new", self.folder + "/late")

    def send_late(self, late_ms, *options):
        """The way becomes long when the first mirror is about to be started: what comes before takes no time."""
        output = ""
        with self.start_send("--json", *options) as sending:
            for line in sending.stdout:
                output += line
                if '"type":"stage-begin","stage":"drive-mirror"' in line:
                    self.be_late(late_ms)
        return sending.returncode, output


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


class Stopwatch:
    """How long QEMU's main loop stands still, and the guest's devices with it."""

    def __init__(self, scene):
        self.monitor = Monitor(scene)
        self.over = threading.Event()
        self.stood_still = []  # (when, for how many seconds) it did not answer
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
            self.stood_still.append((begin, time.monotonic() - begin))

    @staticmethod
    def now():
        return time.monotonic()

    def longest_s(self):
        return max(length for _, length in self.stood_still)


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
