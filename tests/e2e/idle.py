"""QEMUs without a guest, which move from this host to this host: for what is around the data."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time

import folders

HERE = os.path.dirname(os.path.abspath(__file__))
# Between which QEMUs it moves.
SOURCE_QEMU = os.environ.get("XMIG_SOURCE_QEMU", "qemu-system-x86_64")
TARGET_QEMU = os.environ.get("XMIG_TARGET_QEMU", "qemu-system-x86_64")
XMIG = os.environ.get("XMIG", os.path.join(HERE, "../../build/release/xmig"))


class Monitor:
    """A connection to a QMP socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 60
        while self.socket.connect_ex(path):  # QEMU has its socket before it listens
            if time.monotonic() > deadline:
                raise AssertionError(f"QEMU does not listen at {path}")
            time.sleep(0.01)
        self.file = self.socket.makefile("r", encoding="utf-8")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self.file:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise RuntimeError(f"{command}: QEMU has gone")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Scene:
    """A QEMU called `a`, in a folder of its own; it becomes `b`, with images `b-…`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-idle-")
        self.qmp = self.path("qmp")
        self.qemu = None
        self.environment = {**os.environ, "XMIG_STATE_DIR": self.path("state"),
                            "XMIG_RUNTIME_DIR": self.path("run")}

    def path(self, name):
        return os.path.join(self.folder, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except OSError:
                pass
        if self.qemu:
            self.qemu.wait()
        folders.remove(self.folder)

    # ---- making ----

    def image(self, name, size, image_format="qcow2", *options):
        path = self.path(name)
        subprocess.run(["qemu-img", "create", "-q", "-f", image_format, *options, path, size], check=True)
        return path

    def start(self, *options):
        self.qemu = subprocess.Popen(
            [SOURCE_QEMU, "-name", "a", "-m", "64", "-nodefaults", "-display", "none", "-machine",
             "pc-i440fx-7.2,accel=tcg", "-qmp", f"unix:{self.qmp},server=on,wait=off", *options])
        deadline = time.monotonic() + 30
        while not os.path.exists(self.qmp):
            assert self.qemu.poll() is None and time.monotonic() < deadline, "QEMU does not start"
            time.sleep(0.01)

    def drive(self, path, image_format="qcow2", *more):
        return ["-drive", ",".join([f"file={path},format={image_format},if=virtio,id=v0", *more])]

    @contextlib.contextmanager
    def small_file_system(self, name, size):
        path = self.path(name)
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", path], check=True)

    # ---- moving ----

    def send(self, *options, dest="local:"):
        """What all events said, as text; the result; the status."""
        run = subprocess.run([XMIG, "send", "--json", "--no-guardian", "--name", "b", "--device-model", TARGET_QEMU,
                              *options, f"qemu:{self.qmp}", dest],
                             env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, timeout=240, check=False)
        events = [json.loads(line) for line in run.stdout.splitlines()]
        results = [event for event in events if event["type"] == "result"]
        return run.stdout, results[-1] if results else None, run.returncode

    def send_to_where(self, here, there, *options):
        """To a host that has the file `there` at the path `here`."""
        rsh = self.path("rsh")
        with open(rsh, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nshift\nexec unshare -m sh -c "mount --bind {there} {here}; $*"\n')
        os.chmod(rsh, 0o755)
        remote = f"env XMIG_STATE_DIR={self.path('there')} XMIG_RUNTIME_DIR={self.path('there-run')} {XMIG}"
        return self.send("--rsh", rsh, "--remote-path", remote, *options, dest="host")

    def monitor(self):
        return Monitor(self.qmp)

    def target_monitor(self):
        """Of the QEMU that xmig has started."""
        [path] = [os.path.join(folder, "qmp.sock") for folder, _, files in os.walk(self.path("run"))
                  if "qmp.sock" in files]
        return Monitor(path)

    # ---- looking ----

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read().decode(errors="replace")
            except OSError:
                continue
            if self.folder in line and int(pid) != os.getpid():
                found.append(int(pid))
        return found

    @staticmethod
    def info(path):
        output = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], check=True,
                                stdout=subprocess.PIPE).stdout
        return json.loads(output)

    @staticmethod
    def allocated(path):
        return os.stat(path).st_blocks * 512
