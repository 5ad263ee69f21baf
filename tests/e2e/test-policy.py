#!/usr/bin/env python3
"""What a target's policy permits: each key, both ways, by the forced command of packaging/.

    test-policy.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import json
import os
import socket
import subprocess
import tempfile
import unittest

import idle
import wire
from idle import XMIG

COMMAND = os.path.join(idle.HERE, "../../packaging/ssh-forced-command/xmig-ssh-command")


class Target:
    """A host in a folder, at which this user's key belongs to the sender 'alice'."""

    def __init__(self, folder):
        self.folder = folder
        self.config = self.make("etc")
        self.state = self.make("there")
        self.command = os.path.join(folder, "command")
        self.rsh = os.path.join(folder, "rsh")
        with open(COMMAND, encoding="utf-8") as file:
            text = file.read().replace("/usr/local/bin/xmig", os.path.realpath(XMIG))
        self.write(self.command, text)
        self.write(self.rsh, f'#!/bin/sh\nshift\nexport SSH_ORIGINAL_COMMAND="$*" XMIG_CONFIG_DIR={self.config} '
                             f'XMIG_STATE_DIR={self.state} XMIG_RUNTIME_DIR={folder}/there-run\n'
                             f'exec {self.command} alice\n')

    def make(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path, 0o755)
        return path

    @staticmethod
    def write(path, text, mode=0o755):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def permit(self, settings, section="alice"):
        self.write(os.path.join(self.config, "recv.conf"), f"[{section}]\n{settings}\n", 0o644)

    def run(self, command, sender="alice"):
        """What the key's owner would get for it, and its status."""
        done = subprocess.run([self.command, sender], env={**os.environ, "SSH_ORIGINAL_COMMAND": command,
                                                           "XMIG_CONFIG_DIR": self.config},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        return done.stdout, done.returncode

    def answer(self):
        """What a sender of a simulated VM hears first."""
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "XMIG_CONFIG_DIR": self.config, "XMIG_STATE_DIR": self.state,
                       "XMIG_RUNTIME_DIR": os.path.join(self.folder, "there-run")}
        with subprocess.Popen([XMIG, "recv", "--as", "alice"], env=environment, stdin=theirs, stdout=theirs):
            theirs.close()
            connection = wire.Connection(ours)
            connection.send(wire.sender_hello())
            heard = connection.hear()
            connection.close()
        return heard

    def is_untouched(self):
        return os.listdir(self.state) == []


def refusals_of(result):
    """The target's, as texts."""
    return [each["text"] for each in result.get("refusals") or []
            if each["side"] == "recv"] or [(result.get("error") or {}).get("text", "")]


class Simulated(unittest.TestCase):
    """VMs that do not exist, so that nothing but the policy can refuse them."""

    ALL = "vms = demo\nhypervisors = simulated\nimage-directories = /simulated\n"

    def setUp(self):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="xmig-policy-")
        self.addCleanup(self.folder.cleanup)
        self.target = Target(self.folder.name)
        self.source = self.target.make("here")

    def send(self, *options, vm="demo,disks=2,disk-size=64K,ram=64K"):
        run = subprocess.run([XMIG, "send", "--simulate", "--json", *options, "--rsh", self.target.rsh, vm, "host"],
                             env={**os.environ, "XMIG_STATE_DIR": self.source,
                                  "XMIG_RUNTIME_DIR": self.folder.name + "/run"},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             timeout=120, check=False)
        return (json.loads(run.stdout.splitlines()[-1]) if run.stdout else None), run.returncode

    def permits(self, *options, **more):
        result, status = self.send(*options, **more)
        self.assertEqual(status, 0, result)

    def refuses(self, words, *options, **more):
        result, status = self.send(*options, **more)
        self.assertEqual(status, 3, result)
        self.assertTrue(any(words in text for text in refusals_of(result)), result)
        self.assertTrue(self.target.is_untouched())

    def test_each_key_permits_and_refuses(self):
        keys = [("vms", "x demo", "web-*", "a VM called 'demo'"),
                ("hypervisors", "simulated", "*", "VMs of the hypervisor 'simulated'"),
                ("image-directories", "/simulated /x", "/x", "the image '/simulated/vda' (disk 'vda')"),
                ("max-memory", "64K", "65535", "64.0 KiB of memory"),
                ("max-disk", "128K", "127K", "disks of 128.0 KiB in all"),
                ("max-lease", "10min", "9min", "a lease of 10 min 0 s"),
                ("max-migrations", "1", "0", "more than 0 migrations at once")]
        for key, good, bad, words in keys:
            with self.subTest(key):
                rest = "".join(line + "\n" for line in self.ALL.splitlines() if not line.startswith(key))
                self.target.permit(f"{rest}{key} = {good}")
                self.permits("-n")
                self.target.permit(f"{rest}{key} = {bad}")
                self.refuses(words, "-n")
                self.refuses(f"{key} is '{bad}'", "-n")
                self.refuses(words)

    def test_a_fault_needs_to_be_permitted(self):
        fault = ("--fault", "params-copy:end:recv:fail")
        self.target.permit(self.ALL)
        self.refuses("the fault 'params-copy:end:recv:fail'", *fault)
        self.target.permit(self.ALL + "faults = yes")
        _, status = self.send(*fault)
        self.assertEqual(status, 4)

    def test_a_limit_is_told_to_the_sender(self):
        """Who sends more would fill the way, and wait for that with the VM paused."""
        self.target.permit(self.ALL)
        self.assertNotIn("bandwidth", self.target.answer())
        self.target.permit(self.ALL + "bwlimit = 512K")
        self.assertEqual(self.target.answer()["bandwidth"], 512 * 1024)

    def test_no_more_is_taken_in_a_second_than_is_permitted(self):
        self.target.permit(self.ALL + "bwlimit = 512K")
        result, status = self.send(vm="demo,disks=2,disk-size=256K,ram=256K")
        self.assertEqual(status, 0, result)
        self.assertGreater(result["elapsed_ms"], 1200)  # of 1500; the first portions go at once

    def test_what_is_permitted_moves(self):
        self.target.permit(self.ALL)
        self.permits()
        self.assertFalse(self.target.is_untouched())

    def test_all_refusals_come_at_once(self):
        self.target.permit("max-memory = 1K\nmax-disk = 1K\nmax-lease = 1s\nmax-migrations = 0")
        for options in ((), ("-n",)):
            result, status = self.send("--fault", "params-copy:end:recv:fail", *options)
            self.assertEqual(status, 3)
            texts = refusals_of(result)
            for key in ("vms", "hypervisors", "max-memory", "image-directories", "max-disk", "max-lease", "faults",
                        "max-migrations"):
                self.assertTrue(any(f": {key} is" in text for text in texts), (key, texts))

    def test_without_a_section_that_fits_nothing_is_permitted(self):
        self.refuses("has no policy")
        self.target.permit(self.ALL, section="bob")
        self.refuses("has no section [alice]")

    def test_the_default_section_fits_everybody(self):
        self.target.permit(self.ALL, section="default")
        self.permits()

    def test_a_bad_file_permits_nothing(self):
        self.target.permit(self.ALL + "x = y")
        self.refuses("recv.conf:5: there is no key 'x'")
        self.target.permit(self.ALL)
        os.chmod(os.path.join(self.target.config, "recv.conf"), 0o666)
        self.refuses("others than the owner may write to it")

    def test_a_migration_that_was_begun_is_settled_whatever_the_policy_says(self):
        self.target.permit(self.ALL + "faults = yes")
        _, status = self.send("--fault", "COMMIT:after:send:crash")
        self.assertLess(status, 0)
        self.target.permit("nonsense")
        [migration] = os.listdir(self.source)
        done = subprocess.run([XMIG, "recover", migration], env={**os.environ, "XMIG_STATE_DIR": self.source,
                                                                 "XMIG_RUNTIME_DIR": self.folder.name + "/run"},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
        self.assertIn(done.returncode, (0, 4), done.stdout)


class Key(unittest.TestCase):
    """What the forced command lets a key do."""

    def setUp(self):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="xmig-policy-")
        self.addCleanup(self.folder.cleanup)
        self.target = Target(self.folder.name)

    def test_other_commands_are_refused(self):
        for command in ("", "sh", "xmig", "xmig send a b", "xmig recv --as bob", "xmig recv -v", "xmig lane a b",
                        "xmig lane a b c d", "xmig lane a b c;sh", "xmig recv\nsh", "xmig recv $(sh)", "xmig policy"):
            with self.subTest(command):
                said, status = self.target.run(command)
                self.assertEqual((said, status), ("xmig-ssh-command: this key is for xmig only\n", 126))

    def test_a_key_must_be_somebodys(self):
        said, status = self.target.run("xmig recv", sender="")
        self.assertEqual(status, 126)
        self.assertIn("does not say whose key this is", said)

    def test_the_version_is_told(self):
        said, status = self.target.run("xmig --version")
        self.assertEqual((said[:5], status), ("xmig ", 0))


class Qemu(unittest.TestCase):
    """Real QEMUs, without a guest."""

    ALL = "vms = b\nusers = *\nnetworks = *\nlisteners = *\nconnections = *\n"

    def setUp(self):
        self.scene = idle.Scene()
        self.addCleanup(self.scene.__exit__)
        self.target = Target(self.scene.folder)
        self.disk = self.scene.image("a.raw", "4M", "raw")
        self.all = self.ALL + f"image-directories = {self.scene.folder}\n"

    def answer(self, settings, *options):
        """What the policy refuses."""
        self.target.permit(settings)
        _, result, status = self.scene.send("-n", "--rsh", self.target.rsh, *options, dest="host")
        self.assertIn(status, (0, 3), result)
        return [text for text in refusals_of(result) if "the policy does not permit 'alice'" in text]

    def judge(self, good, bad, words, *options):
        self.assertEqual(self.answer(good, *options), [])
        texts = self.answer(bad, *options)
        self.assertTrue(any(words in text for text in texts), texts)

    def without(self, key):
        return "".join(line + "\n" for line in self.all.splitlines() if not line.startswith(key))

    def test_each_key_permits_and_refuses(self):
        self.scene.start(*self.scene.drive(self.disk, "raw"), "-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:0-:22",
                         "-netdev", "tap,id=t,ifname=xmig-policy0,script=no,downscript=no",
                         "-serial", f"file:{self.scene.path('a-serial')}")
        folder = self.scene.folder
        with self.scene.monitor() as monitor:
            port = monitor("human-monitor-command", command_line="info usernet").split("127.0.0.1")[1].split()[0]
        for key, good, bad, words in (
                ("vms", "b", "a", "a VM called 'b'"),
                ("hypervisors", "qemu", "xen", "VMs of the hypervisor 'qemu'"),
                ("programs", "/usr/bin/qemu-system-*", "/opt/*", "the program '/usr/bin/qemu-system-x86_64'"),
                ("image-directories", folder, "/opt", f"the image '{folder}/b.raw' (disk 'v0')"),
                ("image-directories", folder, "/opt", f"to make or write to '{folder}/b-serial'"),
                ("users", "root", "nobody", "to run QEMU as 'root'"),
                ("networks", "xmig-*", "br*", "the network 'xmig-policy0'"),
                ("listeners", "127.0.0.1", "127.0.0.2 *:22", f"to listen at 127.0.0.1 port {port}"),
                ("connections", "*", "127.0.0.1", "to connect to any host port 1 to 65535 (user networking)"),
                ("connections", "* # or never", "never", "connections is 'never'"),
                ("max-memory", "64M", "63M", "64.0 MiB of memory"),
                ("max-disk", "4M", "3M", "disks of 4.0 MiB in all")):
            with self.subTest(key, words=words):
                self.judge(self.without(key) + f"{key} = {good}", self.without(key) + f"{key} = {bad}", words)
        self.judge(self.all + "volume-groups = vg0", self.all, "the block device '/dev/vg0/b' (disk 'v0')",
                   "--disk", "v0=/dev/vg0/b")

    def test_nothing_is_run_before_it_is_permitted(self):
        self.scene.start(*self.scene.drive(self.disk, "raw"))
        mark = self.scene.path("was-run")
        program = self.scene.path("qemu-system-x86_64")
        self.target.write(program, f"#!/bin/sh\ntouch {mark}\nexec qemu-system-x86_64 \"$@\"\n")
        self.target.permit(self.all)
        _, result, status = self.scene.send("--rsh", self.target.rsh, "--device-model", program, dest="host")
        self.assertEqual(status, 3, result)
        self.assertIn(f"the program '{program}'", result["error"]["text"])
        self.assertFalse(os.path.exists(mark))
        self.assertTrue(self.target.is_untouched())
        self.target.permit(self.all + f"programs = {program}")
        _, result, status = self.scene.send("--rsh", self.target.rsh, "--device-model", program, dest="host")
        self.assertEqual(status, 0, result)
        self.assertTrue(os.path.exists(mark))

    def test_a_limit_holds_while_the_vm_is_paused(self):
        """Unlike the sender's own. A megabyte of its RAM is not empty."""
        self.scene.start(*self.scene.drive(self.disk, "raw"))
        self.target.permit(self.all + "bwlimit = 400K")
        _, result, status = self.scene.send("--rsh", self.target.rsh, "--ram", "stopped", dest="host")
        self.assertEqual(status, 0, result)
        self.assertGreater(result["downtime_ms"], 1500)

    def test_what_is_permitted_moves(self):
        self.scene.start(*self.scene.drive(self.disk, "raw"))
        self.target.permit(self.all)
        _, result, status = self.scene.send("--rsh", self.target.rsh, dest="host")
        self.assertEqual(status, 0, result)


if __name__ == "__main__":
    unittest.main()
