"""Hosts with other versions of QEMU: systems of other Debian suites, which share this machine's
kernel and network, and have mounts, processes and a name of their own. They are made by
packaging/build-deb from this machine's apt sources, and kept as the Xen lab's images are.
"""

import json
import os
import shutil
import socket
import subprocess
import uuid

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
XMIG = os.environ.get("XMIG", os.path.join(TOP, "build/release/xmig"))
SUITES = {"7.2": "bookworm", "10.0": "trixie", "11.1": "trixie-backports"}
# What xmig and the tests need; the sanitizers' libraries are for a build that uses them.
PACKAGES = ["ca-certificates", "libcjson1", "libcurl4", "liblz4-1", "libssl3", "libuv1", "openssh-client",
            "openssh-server", "procps", "iproute2", "qemu-system-x86", "qemu-utils", "ovmf", "libasan8", "libubsan1"]
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]


def system_root(version):
    done = subprocess.run([os.path.join(TOP, "packaging/build-deb"), "--system", "versions", SUITES[version],
                           *PACKAGES], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.strip()


class Qmp:
    """A connection that lasts one question, so that xmig finds the socket free."""

    def __init__(self, path):
        self.path = path

    def ask(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(self.path)
            lines = sock.makefile("r", encoding="utf-8")
            lines.readline()
            for message in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                sock.sendall(json.dumps(message).encode() + b"\n")
                answer = {}
                while "return" not in answer and "error" not in answer:
                    answer = json.loads(lines.readline())
        return answer.get("return", answer)

    def state(self):
        try:
            return self.ask("query-status")["status"]
        except (OSError, ValueError):
            return "gone"


class Host:
    """A fresh system above the kept one. Everything of it is below `folder`."""

    within = ()  # words before each command there

    def __init__(self, name, version, folder):
        self.name = name
        self.version = version
        self.way = f"/root/way-{name}"
        at = os.path.join(folder, name)
        self.root = os.path.join(at, "root")
        for part in ("upper", "work", "root"):
            os.makedirs(os.path.join(at, part))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={system_root(version)},"
                        f"upperdir={at}/upper,workdir={at}/work", self.root], check=True)
        for directory in ("tree", "vm", "run/sshd"):
            os.makedirs(os.path.join(self.root, directory), exist_ok=True)
        subprocess.run(["mount", "--bind", TOP, os.path.join(self.root, "tree")], check=True)
        subprocess.run(["mount", "--rbind", "/dev", os.path.join(self.root, "dev")], check=True)
        with open(os.path.join(self.root, "etc/machine-id"), "w", encoding="ascii") as file:
            file.write(uuid.uuid4().hex + "\n")
        shutil.copy(XMIG, os.path.join(self.root, "usr/local/bin/xmig"))
        self.start()

    def start(self):
        """The first process of the host reaps the others, which end when it does."""
        self.keeper = subprocess.Popen(  # pylint: disable=consider-using-with
            ["unshare", "--pid", "--uts", "--mount", "--fork", "--kill-child", "sh", "-c",
             'hostname "$1" && mount -t proc proc "$2/proc" && exec chroot "$2" sh -c "echo up; while sleep 3600; do :; done"',
             "host", self.name, self.root], stdout=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != "up\n":
            raise RuntimeError(f"host {self.name} does not start")
        with open(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children", encoding="ascii") as file:
            self.init = file.read().split()[0]
        self.on("/tree/tests/e2e/sshd start " + self.way)

    def end(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()

    def meet(self, other):
        """Let root here log in at the other host."""
        shutil.copytree(other.path(other.way), self.path(other.way), dirs_exist_ok=True)

    def path(self, path):
        """A path of the host, for this machine."""
        return f"{self.root}{path}"

    def inside(self, path):
        """The same, short enough for a socket, and where a mount of the host's own is seen."""
        return f"/proc/{self.init}/root{path}"

    def run(self, script, timeout=600):
        """In a shell there. Returns the exit status and what was said."""
        done = subprocess.run(["nsenter", "--target", self.init, "--mount", "--pid", "--uts", "--cgroup", "--root", "--wd", "--",
                               *self.within, "env", "-i", *ENVIRONMENT, "sh", "-euc", script], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout

    def on(self, script):
        status, said = self.run(script)
        if status:
            raise RuntimeError(f"{self.name}: {script}: exit status {status}: {said}")
        return said

    def qmp(self, folder):
        return Qmp(self.inside(folder + "/qmp"))
