#!/usr/bin/env python3
"""VMs that somebody else would start again, or believes to have, are not moved behind his back.

    test-managed.py [UNITTEST ARGUMENTS]      needs build/release/xmig and root

The control groups are real ones. What systemd says is said by a script in its place, for the test's
machine may have another first process.
"""

import json
import os
import subprocess
import tempfile
import time
import unittest

import folders
from moving import XMIG, Hypervisor

SYSTEMCTL = """#!/bin/sh
cat "${0%/*}/answer"
"""


class Groups:
    """The machine's tree of control groups of the newer kind, mounted once more."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "cgroup")
        self.made = []
        os.mkdir(self.folder)
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", self.folder], check=True)

    def enter(self, path, pid):
        """Make the group, with those above it, and return its path as the kernel tells it."""
        at = self.folder + self.own()
        for part in path.strip("/").split("/"):
            at += "/" + part
            if not os.path.isdir(at):
                os.mkdir(at)
                self.made.insert(0, at)
        with open(at + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))
        return at[len(self.folder):]

    @staticmethod
    def own():
        """The test's own group, beneath which a container may be kept."""
        with open("/proc/self/cgroup", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("0::"))
        return line.strip()[len("0::"):].rstrip("/")

    def end(self):
        """False: a process that was killed is still there."""
        try:
            while self.made:
                os.rmdir(self.made[0])
                del self.made[0]
        except OSError:
            return False
        subprocess.run(["umount", self.folder], check=True)
        return True


class Scene:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-managed-")
        self.name = f"web{os.getpid()}"
        self.groups = Groups(self.folder)
        self.image = f"{self.folder}/disk.raw"
        with open(self.image, "wb") as file:
            file.truncate(1 << 20)
        os.mkdir(f"{self.folder}/bin")
        self.systemctl_says("")
        self.vm = None

    def __enter__(self):
        return self

    def start(self, *more, within=()):
        self.vm = subprocess.Popen([*within, "qemu-system-x86_64", "-name", self.name, "-m", "32", "-nodefaults",
                                    "-display", "none", "-machine", "pc,accel=tcg", "-drive",
                                    f"file={self.image},format=raw,if=virtio",
                                    "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off", *more],
                                   stdin=subprocess.DEVNULL)
        self.wait(lambda: Hypervisor(f"{self.folder}/qmp").state() == "running", "QEMU to run")
        return self.vm.pid

    @staticmethod
    def wait(condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}")
            time.sleep(0.02)

    def systemctl_says(self, text):
        with open(f"{self.folder}/bin/answer", "w", encoding="utf-8") as file:
            file.write(text)
        with open(f"{self.folder}/bin/systemctl", "w", encoding="utf-8") as file:
            file.write(SYSTEMCTL)
        os.chmod(f"{self.folder}/bin/systemctl", 0o755)

    def is_unit(self, restart, pid, main=None):
        group = self.groups.enter("/system.slice/vm-web.service", pid)
        self.systemctl_says(f"LoadState=loaded\nControlGroup={group}\nMainPID={main or pid}\nRestart={restart}\n"
                            "RestartUSec=3s\nFragmentPath=/etc/systemd/system/vm-web.service\n"
                            "UnitFileState=enabled\n")

    def environment(self, side):
        return {"XMIG_STATE_DIR": f"{self.folder}/{side}-state", "XMIG_RUNTIME_DIR": f"{self.folder}/{side}-run"}

    def xmig(self, *words):
        done = subprocess.run([XMIG, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
                              env={**os.environ, **self.environment("source"),
                                   "PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
        return done.returncode, done.stdout

    def send(self, *options):
        """Returns the exit status, and all that was said, as one line."""
        remote = " ".join(f"{name}={value}" for name, value in self.environment("target").items())
        status, said = self.xmig("send", "--no-guardian", "--name", f"{self.name}-b", "--remote-path",
                                 f"env {remote} {XMIG}", *options, f"qemu:{self.name}", "local:")
        return status, " ".join(said.split())

    def vms(self):
        _, said = self.xmig("vms", "--json")
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return next(line for line in lines if line.get("vm") == f"qemu:{self.name}")

    def __exit__(self, *_):
        found = subprocess.run(["pgrep", "-f", self.folder + "/"], check=False, stdout=subprocess.PIPE, text=True)
        for pid in found.stdout.split():
            subprocess.run(["kill", "-KILL", pid], check=False, stderr=subprocess.DEVNULL)
        if self.vm:
            self.vm.wait()
        self.wait(self.groups.end, "all to leave their groups")
        folders.remove(self.folder)


class Managed(unittest.TestCase):
    def is_refused(self, scene, options, *words):
        status, said = scene.send(*options)
        self.assertEqual(status, 3, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(Hypervisor(f"{scene.folder}/qmp").state(), "running")

    def test_a_unit_that_would_start_it_again_is_named(self):
        with Scene() as scene:
            scene.is_unit("always", scene.start())
            self.is_refused(scene, (), "the unit vm-web.service (/etc/systemd/system/vm-web.service) with "
                            "Restart=always", "start it again 3s after it is ended here",
                            "systemctl edit --runtime vm-web.service", "--unmanaged")
            told = scene.vms()
            self.assertFalse(told["movable"])
            self.assertIn("Restart=always", told["text"])

    def test_so_is_one_that_a_script_starts(self):
        with Scene() as scene:
            pid = scene.start(within=("sh", "-c", '"$@"; exit 1', "sh"))
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                qemu = file.read().split()[0]
            scene.is_unit("on-failure", qemu, main=pid)
            self.is_refused(scene, (), f"run by the main process ({pid}) of the unit vm-web.service",
                            "Restart=on-failure", "that process, or systemd, may start it again",
                            "fails or has to be killed")

    def test_unmanaged_moves_it_and_the_plan_says_what_follows(self):
        with Scene() as scene:
            scene.is_unit("always", scene.start())
            status, said = scene.send("--unmanaged", "--dry-run")
            self.assertEqual(status, 0, said)
            self.assertIn("systemd would start it again 3s after", said)
            status, said = scene.send("--unmanaged")
            self.assertEqual(status, 0, said)

    def test_a_unit_that_does_not_restart_moves_with_a_note(self):
        with Scene() as scene:
            scene.is_unit("no", scene.start())
            status, said = scene.send("--dry-run")
            self.assertEqual(status, 0, said)
            self.assertIn("the VM is the unit vm-web.service", said)
            self.assertIn("'systemctl disable vm-web.service' here, and 'xmig unit' at the target", said)
            status, said = scene.send()
            self.assertEqual(status, 0, said)
            self.assertIn("vm-web.service is still enabled here", said)

    def test_proxmox_is_known_by_its_scope(self):
        with Scene() as scene:
            scene.groups.enter("/qemu.slice/100.scope", scene.start())
            self.is_refused(scene, (), "Proxmox manages this VM", "/qemu.slice/100.scope", "qm migrate", "--unmanaged")
            status, said = scene.send("--unmanaged")
            self.assertEqual(status, 0, said)

    def test_libvirts_vm_is_left_to_libvirt(self):
        with Scene() as scene:
            scene.groups.enter(r"/machine.slice/machine-qemu\x2d1\x2dweb.scope", scene.start())
            for options in ((), ("--unmanaged",)):
                self.is_refused(scene, options, "libvirt manages this VM", f"virsh migrate --live --persistent "
                                f"--undefinesource --copy-storage-all {scene.name} qemu+ssh://HOST/system")
            self.assertNotIn("--unmanaged", scene.send()[1])

    def test_libvirts_vm_without_a_monitor_of_its_own_is_not_told_to_have_one(self):
        with Scene() as scene:
            with open(f"{scene.folder}/key", "wb") as file:
                file.write(bytes(32))
            os.makedirs(f"{scene.folder}/libvirt/qemu/domain-1-web")
            os.rename(f"{scene.folder}/key", f"{scene.folder}/libvirt/qemu/domain-1-web/master-key.aes")
            scene.start("-object", "secret,id=masterKey0,format=raw,"
                        f"file={scene.folder}/libvirt/qemu/domain-1-web/master-key.aes")
            self.is_refused(scene, (), "its command line has paths of libvirt's")
            self.assertNotIn("-qmp", scene.send()[1])

    def test_a_supervisor_is_known_among_its_ancestors(self):
        with Scene() as scene:
            script = f"{scene.folder}/runsv"
            with open(script, "w", encoding="ascii") as file:
                file.write('#!/bin/sh\n"$@"\n')
            os.chmod(script, 0o755)
            scene.start(within=(script,))
            self.is_refused(scene, (), "runit (runsv) has started this VM", "sv once")


if __name__ == "__main__":
    unittest.main()
