"""What the end-to-end tests share: two "hosts" on one machine, with an ssh server between
them, and a test guest that moves from one to the other and back.

A host is a state directory and a runtime directory of xmig's; the guest's name, and with
it the paths of its disks and sockets, changes with every move (--name).
"""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../guest"))

import folders  # noqa: E402 (the path comes first)
from heartbeat import Broken, Watch  # noqa: E402,F401 (the path comes first; for those who import us)

ROOT = os.path.normpath(os.path.join(HERE, "../.."))
XMIG = os.environ.get("XMIG", os.path.join(ROOT, "build/release/xmig"))
GUEST = os.path.join(ROOT, "build/guest")


class Hypervisor:
    """A QMP connection that lasts one question, so that xmig finds the socket free. While xmig
    is connected to it, nobody else gets an answer.
    """

    def __init__(self, path):
        self.path = path

    def ask(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(self.path)
            lines = sock.makefile("r", encoding="utf-8")
            lines.readline()
            for message in ({"execute": "qmp_capabilities"},
                            {"execute": command, "arguments": arguments}):
                sock.sendall(json.dumps(message).encode() + b"\n")
                answer = {}
                while "return" not in answer and "error" not in answer:
                    answer = json.loads(lines.readline())
        return answer.get("return", answer)

    def state(self):
        """"gone", "running", or QEMU's own word for why it does not run."""
        try:
            return self.ask("query-status")["status"]
        except (OSError, ValueError):
            return "gone"


class Guest:
    """Where the guest is said to be: a name, and the files that go with it."""

    def __init__(self, folder, name, first):
        self.name = name
        prefix = "" if first else name + "-"
        self.qmp = os.path.join(folder, prefix + "qmp")
        self.other_qmp = os.path.join(folder, prefix + "qmp2")  # with Scene(monitors=2)
        self.hand = os.path.join(folder, prefix + "hand")  # a second monitor
        self.heartbeat = os.path.join(folder, prefix + "heartbeat")
        self.pidfile = os.path.join(folder, prefix + "pid")
        self.folder = folder
        self.prefix = prefix

    def images(self):
        return [path for path in sorted(glob.glob(os.path.join(self.folder, self.prefix + "disk[0-9].*")))
                if path.endswith((".raw", ".qcow2"))]

    def state(self):
        return Hypervisor(self.qmp).state()

    def pid(self):
        with open(self.pidfile, encoding="ascii") as file:
            return int(file.read())


class Scene:
    """Two hosts and a running guest; use it with `with`."""

    def __init__(self, disks=1, image_format="raw", memory=96, disk_load="8,300,4", ram_load="16,4,rand",
                 size=48, content=8, machine="pc", bus="virtio",
                 monitors=1):
        self.folder = tempfile.mkdtemp(prefix="xmig-e2e-")
        self.vm_folder = os.path.join(self.folder, "vm")
        self.moves = 0
        self.family = f"guest{os.getpid()}"  # several scenes may run at once
        self.guest = Guest(self.vm_folder, self.family + "-0", first=True)
        self.start_arguments = ["--guest", GUEST, "--disks", str(disks), "--format", image_format,
                                "--memory", str(memory), "--disk-load", disk_load, "--ram-load", ram_load,
                                "--size", str(size), "--content", str(content), "--machine", machine,
                                "--bus", bus, "--monitors", str(monitors)]
        self.running = []  # processes of ours
        self.guarded = False  # True: nobody runs recover, the guardians do
        self.target_words = []  # NAME=VALUE, for xmig at the target
        self.guest_words = {}  # the same, for the first guest's QEMU

    def __enter__(self):
        try:
            self.open_way()
            self.start_guest()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self.end_everything()
        self.close_way()
        if not os.environ.get("XMIG_TEST_KEEP"):
            folders.remove(self.folder)

    def open_way(self):
        subprocess.run([os.path.join(HERE, "sshd"), "start", os.path.join(self.folder, "sshd")], check=True,
                       stdout=subprocess.DEVNULL)

    def close_way(self):
        subprocess.run([os.path.join(HERE, "sshd"), "stop", os.path.join(self.folder, "sshd")], check=False)

    def start_guest(self):
        subprocess.run([os.path.join(HERE, "../guest/start"), self.guest.name, self.vm_folder,
                        *self.start_arguments], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **self.guest_words})
        with Watch(self.guest.heartbeat) as watch:
            watch.wait_beats(5, 180)

    def preloaded(self, source):
        """The library of a C file, for LD_PRELOAD."""
        name = os.path.basename(source).removesuffix(".c") + ".so"
        library = os.path.join(self.folder, name)
        if not os.path.exists(library):
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(HERE, source), "-ldl"], check=True)
        return library

    # ---- xmig ----

    def environment(self, side):
        return {"XMIG_STATE_DIR": os.path.join(self.folder, side + "-state"),
                "XMIG_RUNTIME_DIR": os.path.join(self.folder, side + "-run")}

    def next_guest(self):
        return Guest(self.vm_folder, f"{self.family}-{self.moves + 1}", first=False)

    def set_target_words(self, words):
        self.target_words = words

    def way(self):
        """The destination, and the options that say how it is reached."""
        remote = " ".join([f"{name}={value}" for name, value in self.environment("target").items()] +
                          self.target_words)
        return ["127.0.0.1", "--rsh", f"ssh -F {self.folder}/sshd/rsh", "--remote-path", f"{remote} {XMIG}"]

    def send_command(self, *options, dest=None):
        standard, *way = self.way()
        guardian = "--guardian" if self.guarded else "--no-guardian"
        return [XMIG, "send", f"qemu:{self.guest.qmp}", dest or standard, "--json", "--name", self.next_guest().name,
                *way, guardian, *options]

    def start_send(self, *options, dest=None):
        log = open(os.path.join(self.folder, "send.err"), "a", encoding="utf-8")
        process = subprocess.Popen(self.send_command(*options, dest=dest), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, text=True,
                                   env={**os.environ, **self.environment("source")})
        log.close()
        self.running.append(process)
        return process

    @staticmethod
    def result_of(process, timeout_s=180):
        """The final object, after the process has ended; None if it was killed."""
        output, _ = process.communicate(timeout=timeout_s)
        last = None
        for line in output.splitlines():
            event = json.loads(line)
            if event["type"] == "result":
                last = event
        return last

    def send(self, *options, dest=None):
        process = self.start_send(*options, dest=dest)
        return self.result_of(process), process.returncode

    def xmig(self, side, *arguments):
        return subprocess.run([XMIG, *arguments], env={**os.environ, **self.environment(side)},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=180, check=False)

    def migrations(self, side):
        path = self.environment(side)["XMIG_STATE_DIR"]
        entries = [os.path.join(path, name) for name in os.listdir(path)] if os.path.isdir(path) else []
        return [os.path.basename(entry) for entry in sorted(entries, key=os.path.getmtime)]

    def moved(self):
        """The guest is at the target now; what comes next starts there."""
        self.guest = self.next_guest()
        self.moves += 1
        source, target = (self.environment(side) for side in ("source", "target"))
        for name in "XMIG_STATE_DIR", "XMIG_RUNTIME_DIR":
            one, other = source[name], target[name]
            if os.path.exists(one) and os.path.exists(other):
                os.rename(one, one + ".swap")
                os.rename(other, one)
                os.rename(one + ".swap", other)

    # ---- looking ----

    def processes(self, *words):
        """Pids of processes whose command line has all these words and this scene's folder."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read().decode(errors="replace")
            except OSError:
                continue
            if self.folder in line and all(word in line for word in words) and int(pid) != os.getpid():
                found.append(int(pid))
        return found

    def end_everything(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def wait(self, condition, what, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)


def is_stopped(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def as_raw(image, folder):
    """The image's content as a raw file, for blkverify and cmp."""
    if image.endswith(".raw"):
        return image
    raw = os.path.join(folder, os.path.basename(image) + ".as-raw")
    subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", image, raw], check=True)
    return raw


def receivers(scene):
    return started_with(scene, b"recv")


def guardians(scene):
    return started_with(scene, b"guard")


def lanes(scene, name=b"disk/"):
    """The target's ends of the lanes whose names begin so, with or without NBD's handshake."""
    return started_with(scene, b"lane", name) + started_with(scene, b"lane", b"nbd/" + name)


def started_with(scene, command, name=b""):
    """xmigs at the target know of their scene by their environment only."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if words[1:2] == [command] and scene.folder.encode() in environment and \
                (not name or words[4:5][0].startswith(name)):
            found.append(int(pid))
    return found
