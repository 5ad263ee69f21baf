#!/usr/bin/env python3
"""How the target's QEMU is started: what it has of xmig, what rights, and what becomes of what it says.

    test-launch.py [UNITTEST ARGUMENTS]      needs build/release/xmig; no guest is needed
"""

import importlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import unittest

from moving import XMIG

machines = importlib.import_module("test-machine")
Machine = machines.Machine

DISK = ("-drive", "file=%/disk,format=raw,if=virtio")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


class Program(unittest.TestCase):
    """Not a QEMU: `xmig launch` itself."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="xmig-launch-")
        self.path = self.folder.name + "/log"

    def tearDown(self):
        self.folder.cleanup()

    def launch(self, script, *options, **more):
        """The log's content, when the second process has written it, and the exit status."""
        with open(self.path, "a", encoding="utf-8") as log:
            done = subprocess.run([XMIG, "launch", *options, "sh", "-c", script], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, timeout=60, check=False, **more)
        with open(self.path, encoding="utf-8") as log:
            subprocess.run(["flock", "-s", str(log.fileno())], pass_fds=[log.fileno()], timeout=60, check=True)
            return log.read(), done.returncode

    def test_its_words_and_its_status_are_kept(self):
        self.assertEqual(self.launch("echo one; echo two >&2; exit 5"), ("one\ntwo\n", 5))

    def test_its_log_has_a_size_limit(self):
        said, status = self.launch("yes 0123456789012345678901234567890123456789 | head -c 5000000; "
                                   "sleep 0.2; echo the last word")
        self.assertEqual(status, 0)
        self.assertLessEqual(os.path.getsize(self.path), 1 << 20)
        self.assertTrue(said.endswith("the last word\n"), said[-100:])

    def test_it_is_told_when_there_is_no_such_program(self):
        with open(self.path, "w", encoding="utf-8") as log:
            done = subprocess.run([XMIG, "launch", "/nowhere/qemu"], stdout=log, stderr=subprocess.PIPE, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 127)
        self.assertIn("cannot start '/nowhere/qemu': No such file", done.stderr)

    def test_it_has_three_descriptors_a_mask_and_no_way_to_more_rights(self):
        left = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(left, True)
        said, _ = self.launch("ls -l /proc/$$/fd; umask; grep NoNewPrivs /proc/$$/status", "--umask", "027",
                              close_fds=False)
        os.close(left)
        self.assertNotIn("passwd", said)
        self.assertIn("\n0027\n", said)
        self.assertIn("NoNewPrivs:\t1", said)
        said, _ = self.launch("grep NoNewPrivs /proc/$$/status", "--may-gain-rights")
        self.assertTrue(said.endswith("NoNewPrivs:\t0\n"), said)


class Shown(unittest.TestCase):
    """What `xmig vms` says of VMs that are in its way."""

    HANGS_UP = ("import socket\n"
                "listener = socket.socket(socket.AF_UNIX)\n"
                "listener.bind('broken')\n"
                "listener.listen()\n"
                "while True:\n"
                "    listener.accept()[0].close()\n")

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="xmig-vms-")
        self.addCleanup(self.folder.cleanup)

    def start(self, *words, **more):
        process = subprocess.Popen(words, cwd=self.folder.name, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def wait_for(self, name):
        end = time.monotonic() + 60
        while not os.path.exists(f"{self.folder.name}/{name}"):
            self.assertLess(time.monotonic(), end)

    def test_each_has_its_line(self):
        for name in "one", "two":
            self.start("qemu-system-x86_64", "-name", "twins", "-S", "-nodefaults", "-display", "none", "-m", "16",
                       "-machine", "q35,accel=tcg", "-qmp", f"unix:{name},server=on,wait=off")
            self.wait_for(name)
        program = f"{self.folder.name}/qemu-system-x86_64"
        shutil.copy("/usr/bin/python3", program)
        with open(f"{self.folder.name}/script", "w", encoding="ascii") as file:
            file.write(self.HANGS_UP)
        self.start(program, "script", "-name", "broken", "-qmp", "unix:broken,server=on,wait=off",
                   env=dict(os.environ, PYTHONHOME="/usr"))
        self.wait_for("broken")
        environment = dict(os.environ, XMIG_STATE_DIR=f"{self.folder.name}/s", XMIG_RUNTIME_DIR=f"{self.folder.name}/r")
        done = subprocess.run([XMIG, "vms", "--json"], env=environment, stdout=subprocess.PIPE, text=True, check=True,
                              timeout=300)
        said = [json.loads(line) for line in done.stdout.splitlines()]
        reasons = {line["vm"]: line.get("text", "") for line in said if line["type"] == "vm"}
        for name in "one", "two":
            self.assertIn("does not run", reasons[f"qemu:{self.folder.name}/{name}"])
        self.assertIn("broken", reasons["qemu:broken"])
        self.assertNotIn("qemu:twins", reasons)


class Target(unittest.TestCase):
    def test_the_copy_is_as_private_as_the_source(self):
        within = ("sh", "-c", 'umask 077; exec 9</etc/passwd; exec "$@"', "sh")
        with Machine(*DISK, "-serial", "file:%/console", within=within) as machine:
            result, status = machine.send()
            self.assertEqual((status, result["where"]), (0, "target"), result)
            machine.wait(lambda: machine.target.state() == "running", "the target's QEMU")
            [pid] = [pid for pid in machine.processes() if pid != machine.process.pid and
                     "qemu-system" in os.readlink(f"/proc/{pid}/exe")]
            process = status_of(pid)
            self.assertEqual((process["Umask"], process["NoNewPrivs"]), ("0077", "1"))
            opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertNotIn("/etc/passwd", opened)
            console = f"{machine.folder}/{machine.name}-b-console"
            if not os.path.exists(console):
                console = f"{machine.folder}/console"
            self.assertEqual(stat.S_IMODE(os.stat(console).st_mode), 0o600)

    def exec_start(self, unit):
        """As systemd reads it."""
        line = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", unit, re.MULTILINE)[1].replace("\\\n", "")
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
        return [re.sub(r"\\(.)|%(%)|\$(\$)", lambda found: next(filter(None, found.groups())), word) for word in words]

    def test_a_unit_starts_it_anew_after_a_boot(self):
        within = ("sh", "-c", 'umask 027; exec "$@"', "sh")
        with Machine(*DISK, "-serial", 'file:%/a "b" \\ $HOME', within=within) as machine:
            result, status = machine.send()
            self.assertEqual((status, result["where"]), (0, "target"), result)
            unit = self.xmig(machine, "unit", f"{machine.name}-b")
            path = f"{machine.folder}/vm.service"
            with open(path, "w", encoding="utf-8") as file:
                file.write(unit)
            done = subprocess.run(["systemd-analyze", "verify", path], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            self.assertNotIn("vm.service", done.stdout)
            self.assertIn("UMask=0027\n", unit)
            machine.target.ask("quit")
            machine.wait(lambda: machine.target.state() == "gone", "the VM's end")
            words = self.exec_start(unit)
            line = self.xmig(machine, "unit", "--line", result["id"])
            self.assertEqual(subprocess.run(["sh", "-c", f"printf '%s\n' {line}"], stdout=subprocess.PIPE, check=True,
                                            text=True).stdout.splitlines(), words)
            with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
                machine.wait(lambda: machine.target.state() == "running" or process.poll() is not None, "QEMU")
                self.assertIsNone(process.poll())
                process.terminate()

    def test_a_name_adds_nothing_to_a_unit(self):
        with Machine(*DISK) as machine:
            result, status = machine.send("--name", "a\n[Unit]")
            self.assertEqual((status, result["where"]), (0, "target"), result)
            unit = self.xmig(machine, "unit", result["id"])
            self.assertEqual(unit.count("\n[Unit]\n"), 1, unit)
            self.assertIn("Description=Virtual machine a\\n[Unit]\n", unit)

    def xmig(self, machine, *words):
        return subprocess.run([XMIG, *words], env=machine.environment, stdout=subprocess.PIPE, check=True,
                              text=True).stdout

    def test_what_was_not_moved_here_has_no_unit(self):
        with Machine(*DISK) as machine:
            done = subprocess.run([XMIG, "unit", machine.name], env=machine.environment, stderr=subprocess.PIPE,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("was moved to this host", " ".join(done.stderr.split()))


class Bridge(unittest.TestCase):
    """A user's QEMU joins a bridge by QEMU's set-user-ID helper, which no_new_privs would keep from its rights. Needs
    root, who receives it.
    """

    USER, NUMBER = "nobody", 65534

    def setUp(self):
        self.networks = machines.Networks(self)
        self.folder = tempfile.TemporaryDirectory(prefix="xmig-bridge-")
        self.addCleanup(self.folder.cleanup)
        os.chmod(self.folder.name, 0o755)
        for side in "ab":
            self.networks.run(side, "ip link add br7 type bridge")
        helper = self.folder.name + "/qemu-bridge-helper"
        shutil.copy("/usr/lib/qemu/qemu-bridge-helper", helper)
        os.chmod(helper, 0o4755)
        os.makedirs(self.folder.name + "/etc/qemu")
        with open(self.folder.name + "/etc/qemu/bridge.conf", "w", encoding="ascii") as file:
            file.write("allow br7\n")
        tun = self.folder.name + "/tun"  # as udev makes it: a test machine may have none
        os.mknod(tun, stat.S_IFCHR, os.makedev(10, 200))
        os.chmod(tun, 0o666)
        path = self.folder.name + "/within"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh -e\nmount --bind {helper} /usr/lib/qemu/qemu-bridge-helper\n"
                       f"mount --bind {tun} /dev/net/tun\n"
                       f"mount -t overlay -o lowerdir={self.folder.name}/etc:/etc overlay /etc\nexec \"$@\"\n")
        os.chmod(path, 0o755)

    def within(self, side):
        """As on a host whose administrator has let users join br7."""
        return [*self.networks.within(side), self.folder.name + "/within"]

    def test_a_users_copy_is_a_port_of_the_bridge(self):
        as_user = ["setpriv", f"--reuid={self.USER}", f"--regid={self.NUMBER}", "--clear-groups", "--"]
        machine = Machine(*DISK, "-netdev", "bridge,id=n,br=br7", "-device", "virtio-net-pci,netdev=n",
                          within=[*self.within("a"), *as_user])
        for path in machine.folder, *(os.path.join(machine.folder, name) for name in os.listdir(machine.folder)):
            os.chown(path, self.NUMBER, self.NUMBER)
        with machine:
            machine.within = self.within("a")  # xmig is root's
            rsh = machine.folder + "/rsh"
            with open(rsh, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\nshift\nexec {' '.join(self.within('b'))} sh -c \"$*\"\n")
            os.chmod(rsh, 0o755)
            places = f"XMIG_STATE_DIR={machine.folder}/there XMIG_RUNTIME_DIR={machine.folder}/there-run"
            result, status = machine.send(to=("host", "--rsh", rsh, "--remote-path", f"env {places} {XMIG}"))
            self.assertEqual((status, result["where"]), (0, "target"), result)
            machine.wait(lambda: machine.target.state() == "running", "the target's QEMU")
            [pid] = [pid for pid in machine.processes() if pid != machine.process.pid and
                     "qemu-system" in os.readlink(f"/proc/{pid}/exe")]
            process = status_of(pid)
            self.assertEqual((process["Uid"].split(), process["NoNewPrivs"]), ([str(self.NUMBER)] * 4, "0"))
            self.assertEqual(self.ports("b"), ["tap0"])

    def ports(self, side):
        done = subprocess.run([*self.networks.within(side), "ip", "-json", "link", "show", "master", "br7"],
                              stdout=subprocess.PIPE, check=True)
        return [port["ifname"] for port in json.loads(done.stdout)]


if __name__ == "__main__":
    unittest.main()
