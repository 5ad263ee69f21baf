"""Two "hosts" as moving.py has them, with `xmig listen` between them in place of an ssh server: the hosts have made
keys, trust each other's, and the target's policy says what the source may do.
"""

import os
import signal
import subprocess
import sys

from authority import Listener
from moving import GUEST, XMIG, Scene, receivers, started_with

RELAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")


class TlsScene(Scene):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.listener = self.relay = None
        self.relay_port = 0
        self.relayed = False  # True: the way to the listener leads through a relay

    def open_way(self):
        self.make_keys()
        self.listen()

    def close_way(self):
        self.end(self.listeners() + receivers(self))
        if self.listener:
            self.listener.process.wait()

    @staticmethod
    def end(pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def make_keys(self):
        for side in "source", "target":
            self.xmig(side, "keys", "init")
        for side, other in ("source", "target"), ("target", "source"):
            self.xmig(side, "keys", "trust", self.fingerprint(other), other)
        with open(os.path.join(self.environment("target")["XMIG_CONFIG_DIR"], "recv.conf"), "w",
                  encoding="ascii") as file:
            file.write(f"[source]\nvms = {self.family}-*\nhypervisors = qemu\nimage-directories = {self.folder} {GUEST}\n"
                       "users = *\nconnections = *\nfaults = yes\n")

    def listeners(self):
        """The process that listens, and one for each connection."""
        return started_with(self, b"listen")

    def listen(self):
        """Anew, at the same port, if there has been one: as a service manager does."""
        words = dict(word.split("=", 1) for word in self.target_words)
        port = self.listener.port if self.listener else None
        self.listener = Listener(XMIG, {**os.environ, **self.environment("target"), **words},
                                 os.path.join(self.folder, "listen.log"), port=port)

    def set_target_words(self, words):
        if words != self.target_words:
            super().set_target_words(words)
            self.end([self.listener.process.pid])
            self.listener.process.wait()
            self.listen()

    def start_relay(self):
        """The same holds for it."""
        self.relay = subprocess.Popen([sys.executable, RELAY, str(self.relay_port), str(self.listener.port),
                                       self.folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.running.append(self.relay)
        self.relay_port = int(self.relay.stdout.readline())

    def way(self):
        if self.relayed and not self.relay:
            self.start_relay()
        return [f"tls://localhost:{self.relay_port if self.relayed else self.listener.port}"]

    def environment(self, side):
        return {**super().environment(side), "XMIG_CONFIG_DIR": os.path.join(self.folder, side + "-config")}

    def fingerprint(self, side):
        shown = self.xmig(side, "keys", "show").stdout
        return shown.split("this host")[1].split()[0]
