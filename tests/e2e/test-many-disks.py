#!/usr/bin/env python3
"""A VM of many disks moves with one login, or is refused before anything is touched.

    test-many-disks.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import os
import signal
import subprocess
import tempfile
import time
import unittest

import folders
from moving import HERE, XMIG, Hypervisor

SSHD = os.path.join(HERE, "sshd")


class Scene:
    """A QEMU with empty disks, and an ssh server with further lines of configuration."""

    def __init__(self, disks, *configuration):
        self.folder = tempfile.mkdtemp(prefix="xmig-disks-")
        self.server = os.path.join(self.folder, "sshd")
        self.configuration = configuration
        words = ["qemu-system-x86_64", "-name", "a", "-m", "32", "-nodefaults", "-display", "none", "-machine",
                 "q35,accel=tcg", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                 "-device", "virtio-scsi-pci,id=s"]
        for number in range(disks):
            path = os.path.join(self.folder, f"disk{number}")
            with open(path, "wb") as file:
                file.write(os.urandom(4096))
                file.truncate(1 << 20)
            words += ["-drive", f"file={path},format=raw,if=none,id=d{number}",
                      "-device", f"scsi-hd,drive=d{number},bus=s.0"]
        self.words = words

    def __enter__(self):
        self.start_server()
        self.qemu = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while Hypervisor(self.folder + "/qmp").state() != "running":
            if time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError("QEMU has not started")
        return self

    def start_server(self):
        """The lines come before the script's own, of which sshd takes the first."""
        environment = {**os.environ, "SSHD_LINES": "\n".join(self.configuration)}
        subprocess.run([SSHD, "start", self.server], check=True, stdout=subprocess.DEVNULL, env=environment)

    def __exit__(self, *_):
        subprocess.run([SSHD, "stop", self.server], check=False)
        found = subprocess.run(["pgrep", "-f", self.folder + "/"], check=False, stdout=subprocess.PIPE, text=True)
        for pid in found.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.qemu.wait()
        folders.remove(self.folder)

    def send(self, *options):
        places = {"XMIG_STATE_DIR": self.folder + "/state", "XMIG_RUNTIME_DIR": self.folder + "/run"}
        there = {"XMIG_STATE_DIR": self.folder + "/state-b", "XMIG_RUNTIME_DIR": self.folder + "/run-b"}
        remote = "env " + " ".join(f"{name}={value}" for name, value in there.items()) + " " + XMIG
        done = subprocess.run([XMIG, "send", "--name", "b", "--rsh", f"ssh -F {self.server}/rsh", "--remote-path", remote,
                               *options, f"qemu:{self.folder}/qmp", "127.0.0.1"], check=False, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **places})
        return done.returncode, done.stdout

    def logins(self):
        with open(self.server + "/log", encoding="utf-8") as file:
            return file.read().count("Accepted publickey")


class ManyDisks(unittest.TestCase):
    def moves(self, disks, *configuration):
        with Scene(disks, *configuration) as scene:
            status, output = scene.send()
            self.assertEqual(status, 0, output)
            self.assertEqual(scene.logins(), 1, output)
            self.assertEqual(Hypervisor(scene.folder + "/b-qmp").state(), "running")
            self.assertNotIn("refused", output)

    def test_fourteen_disks_move_with_one_login_where_sshd_is_as_installed(self):
        self.moves(14)

    def test_twenty_four_disks_move_with_one_login(self):
        self.moves(24)

    def test_few_disks_move_where_hardly_a_session_is_permitted(self):
        self.moves(2, "MaxSessions 2")

    def test_many_disks_move_without_forwarding_where_there_are_sessions_enough(self):
        self.moves(14, "DisableForwarding yes", "MaxSessions 20")

    def test_where_it_cannot_be_done_nothing_is_touched_and_the_setting_is_named(self):
        with Scene(14, "AllowStreamLocalForwarding no") as scene:
            status, output = scene.send()
            self.assertEqual(status, 3, output)
            self.assertIn("MaxSessions 17", output)
            self.assertIn("permits 10 in one login", output)
            self.assertEqual(scene.logins(), 1, output)
            self.assertEqual(Hypervisor(scene.folder + "/qmp").state(), "running")
            self.assertFalse([name for name in os.listdir(scene.folder) if name.startswith("b-")])


if __name__ == "__main__":
    unittest.main()
