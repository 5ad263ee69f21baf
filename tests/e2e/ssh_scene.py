"""A QEMU without an operating system, whose disks move over a real ssh to this very machine."""

import os
import signal
import subprocess
import tempfile
import time

import folders
from moving import HERE, XMIG, Hypervisor

SSHD = os.path.join(HERE, "sshd")
MIB = 1 << 20


class Scene:
    """A QEMU with `disks`, each as long as its number of bytes says, of which `filled` bytes are random; and an ssh
    server with further lines of configuration. `programs` is a directory with other programs called ssh and sshd.
    """

    def __init__(self, disks, *configuration, filled=(), programs=None, outside=()):
        self.folder = tempfile.mkdtemp(prefix="xmig-disks-")
        self.name = "a" + self.folder[-8:]  # several scenes may run at once
        self.target = "b" + self.folder[-8:]
        self.server = os.path.join(self.folder, "sshd")
        self.configuration = configuration
        self.outside = outside  # words that lead from the server's system to that of xmig
        self.path = os.environ["PATH"] if programs is None else f"{programs}:{os.environ['PATH']}"
        words = ["qemu-system-x86_64", "-name", self.name, "-m", "32", "-nodefaults", "-display", "none", "-machine",
                 "q35,accel=tcg", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                 "-device", "virtio-scsi-pci,id=s"]
        for number in range(disks):
            path = os.path.join(self.folder, f"disk{number}")
            size = filled[number] if number < len(filled) else 4096
            with open(path, "wb") as file:
                file.write(os.urandom(size))
                file.truncate(max(MIB, size))
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
        environment = {**os.environ, "PATH": self.path, "SSHD_LINES": "\n".join(self.configuration)}
        subprocess.run([SSHD, "start", self.server], check=True, stdout=subprocess.DEVNULL, env=environment)

    def configure_client(self, *lines):
        with open(f"{self.server}/rsh", "a", encoding="utf-8") as file:
            file.write("".join(f"    {line}\n" for line in lines))

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

    def start_send(self, *options, to="127.0.0.1"):
        here = {"XMIG_STATE_DIR": self.folder + "/state", "XMIG_RUNTIME_DIR": self.folder + "/run", "PATH": self.path}
        there = {"XMIG_STATE_DIR": self.folder + "/state-b", "XMIG_RUNTIME_DIR": self.folder + "/run-b",
                 "PATH": os.environ["PATH"]}
        remote = " ".join([*self.outside, "env", *(f"{name}={value}" for name, value in there.items()), XMIG])
        return subprocess.Popen([XMIG, "send", "--name", self.target, "--rsh", f"ssh -F {self.server}/rsh", "--remote-path",
                                 remote, *options, f"qemu:{self.folder}/qmp", to], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **here})

    def send(self, *options, to="127.0.0.1"):
        with self.start_send(*options, to=to) as sending:
            output, _ = sending.communicate(timeout=300)
        return sending.returncode, output

    def logins(self):
        with open(self.server + "/log", encoding="utf-8") as file:
            return file.read().count("Accepted publickey")

    def moved(self):
        return Hypervisor(f"{self.folder}/{self.target}-qmp").state() == "running"
