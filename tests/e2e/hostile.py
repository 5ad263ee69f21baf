"""A host in a folder, to which somebody means harm: what happens to it, and what must not."""

import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import wire

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
XMIG = os.path.realpath(os.environ.get("XMIG", os.path.join(ROOT, "build/dev/xmig")))
OBEYED = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # by a terminal
MEMORY_KIB = 160 * 1024  # at most, with what the sanitizers take
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=8:log_path={0}",
              "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99:log_path={0}"}
POLICY = """[mallory]
vms = *
hypervisors = simulated qemu
image-directories = /simulated {0}/images
users = root
networks = xmig-hostile*
listeners = 127.0.0.1
"""


class Wrong(AssertionError):
    """A promise is broken."""


def what_is(path):
    """All that somebody could have done to it; a directory's time says only what its entries say."""
    about = os.lstat(path)
    content = about.st_mtime_ns
    if stat.S_ISLNK(about.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(about.st_mode):
        with open(path, "rb") as file:
            content = (about.st_mtime_ns, about.st_size, hashlib.sha256(file.read()).hexdigest())
    elif stat.S_ISDIR(about.st_mode):
        content = None
    return about.st_ino, about.st_mode, about.st_uid, about.st_gid, about.st_nlink, content


def tree(folder):
    found = {}
    for here, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(here, name)
            found[os.path.relpath(path, folder)] = what_is(path)[:4] + what_is(path)[5:]
    return found


class Host:
    """Its state, its images, and beside them what is none of xmig's business."""

    def __init__(self, policy=POLICY):
        self.folder = tempfile.mkdtemp(prefix="xmig-hostile-")
        for name in ("state", "run", "etc", "images", "decoy", "reports"):
            os.mkdir(self.path(name), 0o700 if name in ("state", "run", "reports") else 0o755)
        self.environment = {**{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                            "XMIG_STATE_DIR": self.path("state"), "XMIG_RUNTIME_DIR": self.path("run"),
                            "XMIG_CONFIG_DIR": self.path("etc"), "LC_ALL": "C",
                            **{name: text.format(self.path("reports/report")) for name, text in SANITIZERS.items()}}
        self.write("etc/recv.conf", policy.format(self.folder))
        self.furnish()
        self.before = self.what_is_others()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def furnish(self):
        """Harmless things that no sender may reach."""
        self.write("decoy/precious", "precious\n")
        self.write("decoy/program", "#!/bin/sh\ntouch " + self.path("decoy/was-run") + "\n", 0o755)
        self.write("images/taken.raw", "somebody's disk\n")
        os.mkdir(self.path("images/open"))
        os.chmod(self.path("images/open"), 0o777)
        os.symlink(self.path("decoy"), self.path("images/way-out"))
        os.symlink(self.path("decoy/precious"), self.path("images/link.raw"))
        os.mkfifo(self.path("images/fifo"))
        os.mknod(self.path("images/device"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path("images/socket"))
        self.listening.listen()

    def what_is_others(self):
        return {name: what for name, what in tree(self.folder).items()
                if name.split("/")[0] not in ("state", "run", "reports") and not name.startswith("listen.log")}

    # ---- processes ----

    def start(self, *words, **more):
        return subprocess.Popen([XMIG, *words], env=self.environment, cwd="/", **more)

    def recv(self, *words):
        """`xmig recv`, and the connection to it."""
        ours, theirs = socket.socketpair()
        with theirs, open(self.path("reports/said"), "ab") as said:
            process = self.start("recv", *words, stdin=theirs, stdout=theirs, stderr=said)
        return process, wire.Connection(ours)

    def processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.folder.encode() in file.read() and int(pid) != os.getpid():
                        yield int(pid)
            except OSError:
                pass

    def await_no_process(self, within):
        until = time.monotonic() + within
        while list(self.processes()):
            if time.monotonic() > until:
                raise Wrong(f"these still run after {within} s: {self.told()}")
            time.sleep(0.05)

    def told(self):
        """The command lines of those that live."""
        lines = []
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    lines.append(file.read().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                pass
        return lines

    # ---- judging ----

    def judge_reports(self):
        for path in glob.glob(self.path("reports/report*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                raise Wrong("a sanitizer reports:\n" + file.read()[:6000])

    def judge_texts(self):
        """What a person reads on a terminal, or a program as JSON."""
        logs = glob.glob(self.path("state/*/*.log")) + [self.path("reports/said"), self.path("listen.log")]
        for path in filter(os.path.exists, logs):
            with open(path, "rb") as file:
                data = file.read()
            text = data.decode("utf-8", "backslashreplace")
            if text.encode("utf-8") != data or OBEYED.search(text):
                raise Wrong(f"{os.path.basename(path)} has raw bytes of the peer's: {text[-500:]!r}")

    def judge_tree(self, own=()):
        """`own`: what this session may have left in the state directory, by its ID."""
        after = self.what_is_others()
        for name in sorted(set(after) | set(self.before)):
            if after.get(name) != self.before.get(name):
                raise Wrong(f"'{name}' was {self.before.get(name)} and is {after.get(name)}")
        strange = [name for name in os.listdir(self.path("state")) if name not in own]
        if strange:
            raise Wrong(f"{strange} is in the state directory")
        left = [name for name in tree(self.path("run")) if not name.endswith(".lock")]
        if left:
            raise Wrong(f"{left} is in the runtime directory")

    def judge(self, own=()):
        self.judge_reports()
        self.judge_texts()
        self.judge_tree(own)

    def close(self):
        for pid in list(self.processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.listening.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def await_end(process, within):
    """Its status, and its memory at most in KiB; it must end by itself."""
    until = time.monotonic() + within
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss
        if time.monotonic() > until:
            raise Wrong(f"{process.args[1]} has not ended within {within} s")
        time.sleep(0.01)


def judge_end(process, within):
    status, memory = await_end(process, within)
    if status < 0 or status == 99:
        raise Wrong(f"{process.args[1]} ended with status {status}")
    if memory > MEMORY_KIB:
        raise Wrong(f"{process.args[1]} took {memory} KiB of memory")
