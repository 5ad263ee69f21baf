#!/usr/bin/env python3
"""Moves by an ssh of one version to an sshd of another.

    ssh.py [--all] [CLIENT:SERVER ...]      needs build/release/xmig and root

Versions are 9.2, 10.0, 10.3 and 10.6; none named: 10.6:10.6 and the quickest of all that is tried, with --all every
pair. ssh and sshd run in systems of the Debian suites that have these versions, made by packaging/build-deb and kept
as hosts.py says; xmig and QEMU are this machine's. A suite that has moved on tries the version that it has now.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))

from ssh_scene import MIB, Scene  # noqa: E402 (the path comes first)

SUITES = {"9.2": "bookworm", "10.0": "trixie", "10.3": "trixie-backports", "10.6": "sid"}
TIMEOUT = "*=4s"  # each connection says something every 2 s
IDLE = {"filled": (4096, 12 * MIB)}  # of the second disk 12 s are sent, with --bwlimit 1M; the first is idle then


def number(version):
    return tuple(int(part) for part in version.split("."))


class System:
    """ssh and sshd of a version, as programs of this machine that enter a system of their own."""

    def __init__(self, version, folder):
        kept = subprocess.run([os.path.join(TOP, "packaging/build-deb"), "--system", "ssh", SUITES[version],
                               "openssh-client", "openssh-server"], stdout=subprocess.PIPE, check=True, text=True)
        at = os.path.join(folder, version)
        found = subprocess.run(["dpkg-query", f"--admindir={kept.stdout.strip()}/var/lib/dpkg", "--show",
                                "--showformat=${Version}", "openssh-client"], stdout=subprocess.PIPE, check=True, text=True)
        version = re.match(r"(?:\d+:)?(\d+\.\d+)", found.stdout)[1]
        self.root = f"{at}/root"
        self.version = version
        self.programs = f"{at}/bin"
        for part in ("upper", "work", "root", "bin"):
            os.makedirs(os.path.join(at, part))
        self.mount("-t", "overlay", "overlay", "-o",
                   f"lowerdir={kept.stdout.strip()},upperdir={at}/upper,workdir={at}/work", self.root)
        for path in ("proc", "dev", "tmp"):
            self.mount("--rbind", f"/{path}", f"{self.root}/{path}")
        os.makedirs(f"{self.root}/run/sshd", exist_ok=True)
        for name, path in (("ssh", "/usr/bin/ssh"), ("sshd", "/usr/sbin/sshd")):
            with open(f"{self.programs}/{name}", "w", encoding="ascii") as file:
                file.write(f'#!/bin/sh\nexec chroot {self.root} {path} "$@"\n')
            os.chmod(f"{self.programs}/{name}", 0o755)

    @staticmethod
    def mount(*words):
        subprocess.run(["mount", *words], check=True)


class Pair:
    def __init__(self, client, server, folder):
        self.client, self.server = client, server
        self.programs = os.path.join(folder, f"{client.version}-{server.version}")
        os.mkdir(self.programs)
        os.symlink(f"{client.programs}/ssh", f"{self.programs}/ssh")
        os.symlink(f"{server.programs}/sshd", f"{self.programs}/sshd")
        self.failures = []

    def scene(self, disks, *configuration, **more):
        """What sshd starts in its own system begins by leaving that system."""
        return Scene(disks, *configuration, programs=self.programs,
                     outside=("chroot", f"/proc/{os.getpid()}/root"), **more)

    def require(self, holds, what, said):
        if not holds:
            self.failures.append(f"{self.client.version} to {self.server.version}: {what}:\n{said}")

    def many_disks(self):
        with self.scene(14) as scene:
            status, said = scene.send()
            self.require(status == 0 and scene.moved(), f"14 disks: exit status {status}", said)
            self.require(scene.logins() == 1, f"14 disks: {scene.logins()} logins", said)
            self.require("post-quantum" not in said and "refused" not in said, "14 disks: ssh complains", said)

    def old_key_exchange(self):
        """The warning comes once, and a name that ssh refuses on a command line gets its cure."""
        warnings = 1 if number(self.client.version) >= (10, 1) else 0
        with self.scene(2, "KexAlgorithms curve25519-sha256") as scene:
            self.user_name(scene)
            status, said = scene.send()
            self.require(status == 0 and scene.moved(), f"old key exchange: exit status {status}", said)
            found = said.count("not using a post-quantum")
            self.require(found == warnings, f"{found} warnings of the key exchange, and not {warnings}", said)

    def user_name(self, scene):
        for name in (r"DOMAIN\joe", "joe$"):
            status, said = scene.send(to=f"{name}@127.0.0.1")
            said = " ".join(said.split())
            if number(self.client.version) >= (10, 6):
                self.require(status == 3 and f"'User {name}' into ~/.ssh/config" in said, "no cure for the name", said)
                self.require("invalid characters" not in said, "ssh's own words come first", said)
            else:
                self.require("Permission denied" in said or "closed" in said, "the name does not reach the server", said)

    def idle_lane(self, *configuration):
        limit = f"ChannelTimeout {TIMEOUT}"
        if number(self.server.version) >= (10, 5):
            limit = f"Match User root\n{limit}\nMatch all"
        with self.scene(2, *configuration, limit, **IDLE) as scene:
            if number(self.client.version) >= (10, 0):
                scene.configure_client(f"ChannelTimeout {TIMEOUT}")
            status, said = scene.send("--bwlimit", "1M")
            self.require(status == 0 and scene.moved(), f"idle lane {configuration}: exit status {status}", said)

    def check(self, thoroughly):
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(self.old_key_exchange)]
            if self.client.version == self.server.version:
                jobs.append(pool.submit(self.idle_lane))
            if thoroughly and self.client.version == self.server.version:
                jobs.append(pool.submit(self.idle_lane, "MaxSessions 2"))
            if thoroughly:
                jobs.append(pool.submit(self.many_disks))
            for job in jobs:
                job.result()
        for failure in self.failures:
            print(failure)
        print(f"ssh {self.client.version} to sshd {self.server.version}: {'FAILED' if self.failures else 'ok'}", flush=True)
        return not self.failures


def main(words):
    pairs = [word.split(":") for word in words if word != "--all"] or [("10.6", "10.6")]
    if "--all" in words:
        pairs = [(client, server) for client in SUITES for server in SUITES]
    folder = tempfile.mkdtemp(prefix="xmig-ssh-")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        systems = {version: System(version, folder) for version in {version for pair in pairs for version in pair}}
        results = [Pair(systems[client], systems[server], folder).check(bool(words))
                   for client, server in pairs]
    finally:  # only an empty folder is removed: directories of this machine are mounted in it
        subprocess.run(["umount", "-l", folder], check=False)
        os.rmdir(folder)
    return 0 if all(results) else 1


if __name__ == "__main__":
    if os.environ.get("XMIG_SSH_MOUNTS") != "own":
        os.environ["XMIG_SSH_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                              sys.executable, *sys.argv])
    sys.exit(main(sys.argv[1:]))
