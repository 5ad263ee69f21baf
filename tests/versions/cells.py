"""One cell of the matrix: a VM that goes from one host to others, or is refused before anything is
touched. What is so at the end is seen by QEMU, by the file system and by the images, not by what
xmig says.
"""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

import vm
from hosts import TOP

sys.path.insert(0, os.path.join(TOP, "tests/guest"))

from heartbeat import Watch  # noqa: E402 (the path comes first)

numbers = itertools.count()
lock = threading.Lock()


class Wrong(Exception):
    """A promise is broken."""


class Cell:
    """A VM on the way. `formats`: of its disks."""

    def __init__(self, lab, machine="pc", bus="virtio-blk", formats=vm.FORMATS, extra=()):
        with lock:
            self.name = f"vm{next(numbers)}"
        self.lab = lab
        self.machine, self.bus, self.formats, self.extra = machine, bus, formats, extra
        self.folder = "/vm/" + self.name
        self.host = None

    def command(self):
        return vm.words(self.name, self.folder, self.machine, self.bus, self.formats, self.extra)

    def start(self, host):
        os.makedirs(host.path(self.folder), exist_ok=True)
        for form in self.formats:
            self.lab.patterns.copy(form, host.path(vm.image(self.folder, form)))
        host.on(shlex.join(self.command()))
        self.host = host

    def ask(self, command, **arguments):
        return self.host.qmp(self.folder).ask(command, **arguments)

    def end(self):
        if self.host and self.host.qmp(self.folder).state() != "gone":
            self.ask("quit")

    def send(self, host, *options):
        os.makedirs(host.path(self.folder), exist_ok=True)
        way = f"ssh -F {host.way}/rsh"
        return self.host.run(shlex.join(["xmig", "send", "-q", "-e", way, "--max-pause", "120s", *options, "qemu:" + self.name,
                                         "root@127.0.0.1"]))

    # ---- what must hold ----

    def files(self, host):
        return sorted(os.listdir(host.path(self.folder)))

    def move(self, host, *options):
        status, said = self.send(host, *options)
        if status:
            raise Wrong(f"exit status {status}: {said}")
        if self.host.qmp(self.folder).state() != "gone":
            raise Wrong("the source's QEMU is still there")
        self.host = host
        if self.ask("query-status")["status"] != "running":
            raise Wrong("the VM does not run at the target")

    def check_images(self):
        """Of a VM that has ended."""
        for form in self.formats:
            path = self.host.path(vm.image(self.folder, form))
            if not self.lab.patterns.is_in(path, form):
                raise Wrong(f"the {form} image is not what it was")
            if form == "raw" and os.stat(path).st_blocks * 512 > 1 << 20:
                raise Wrong(f"the raw image has {os.stat(path).st_blocks * 512} bytes allocated")

    def refused(self, host, *options):
        """Returns why."""
        os.makedirs(host.path(self.folder), exist_ok=True)
        before = self.files(host)
        status, said = self.send(host, *options)
        if status != 3:
            raise Wrong(f"exit status {status}, and not refused: {said}")
        if self.ask("query-status")["status"] != "running":
            raise Wrong("it was refused, and the VM does not run")
        if self.files(host) != before:
            raise Wrong(f"it was refused, and something was touched: {self.files(host)}")
        return said


def reason(said):
    """The first refusal, in the words of xmig, without who says it."""
    return re.sub(r"^xmig: *", "", said.strip().splitlines()[0])


def bare(lab, source, target, machine, bus, may_move):
    """A cell of the large table: one move, or one refusal. Returns what the table says."""
    cell = Cell(lab, machine, bus)
    began = time.monotonic()
    try:
        cell.start(source)
        if not may_move:
            return "refused: " + reason(cell.refused(target))
        cell.move(target)
        cell.end()
        cell.check_images()
        return f"moved ({time.monotonic() - began:.1f} s)"
    finally:
        cell.end()


# ---- cells of their own ----

NET = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,id=card,rombar=0", "-device", "virtio-rng-pci"]


def says(said, words):
    if words not in said:
        raise Wrong(f"'{words}' is not in what was said: {said}")
    return "refused: " + reason(said)


def long_queues(lab):
    """QEMU 10.0.13 gives a network card queues that 11.1 does not load."""
    cell = Cell(lab, extra=NET)
    try:
        cell.start(lab.host("10.0", 0))
        return says(cell.refused(lab.host("11.1", 1)), "Move the VM to a host with another QEMU before 11.1")
    finally:
        cell.end()


def long_queues_by_another_host(lab):
    """The length of the queues counts, and not the version that the VM comes from; a boot cures it."""
    cell = Cell(lab, extra=NET)
    try:
        cell.start(lab.host("10.0", 0))
        cell.move(lab.host("7.2", 1))
        says(cell.refused(lab.host("11.1", 0)), "reboot the guest")
        cell.ask("system_reset")
        cell.move(lab.host("11.1", 0))
        return "moved, after a boot there"
    finally:
        cell.end()


def short_queues_by_another_host(lab):
    """A VM that came to 10.0.13 keeps its queues until a reset."""
    cell = Cell(lab, extra=NET)
    try:
        cell.start(lab.host("7.2", 0))
        cell.move(lab.host("10.0", 1))
        cell.move(lab.host("11.1", 0))
        return "moved"
    finally:
        cell.end()


def newer_machine(lab, source, target, machine):
    cell = Cell(lab, machine)
    try:
        cell.start(lab.host(source, 0))
        return says(cell.refused(lab.host(target, 1)), f"knows no machine '{machine}': move the VM to")
    finally:
        cell.end()


def thin(lab, source, target, drive=""):
    """A raw image of 1 GiB, nearly empty, takes no more room at the target."""
    cell = Cell(lab, formats=())
    folder, disk = cell.folder, cell.folder + "/thin.raw"
    cell.extra = ["-drive", f"if=virtio,format=raw,file={disk}{drive}"]
    host = lab.host(target, 1)
    try:
        os.makedirs(lab.host(source, 0).path(folder))
        lab.patterns.copy("raw", lab.host(source, 0).path(disk))
        os.truncate(lab.host(source, 0).path(disk), 1 << 30)
        cell.start(lab.host(source, 0))
        os.makedirs(host.path(folder), exist_ok=True)
        plan = cell.send(host, "--dry-run")[1]
        cell.move(host)
        allocated = os.stat(host.path(disk)).st_blocks * 512
        said = "fully allocated" in plan
        if said != (allocated >= 1 << 30) or (not said and allocated > 1 << 20):
            raise Wrong(f"{allocated} bytes are allocated, and the plan was: {plan}")
        return f"moved, {allocated >> 10} KiB of 1 GiB allocated{', as the plan said' if said else ''}"
    finally:
        cell.end()


def firmware(lab, source, target):
    """OVMF, the source's, with its variables."""
    cell = Cell(lab, "q35", formats=("raw",))
    here, there = lab.host(source, 0), lab.host(target, 1)
    cell.extra = ["-drive", f"if=pflash,format=raw,readonly=on,file={cell.folder}/code.fd",
                  "-drive", f"if=pflash,format=raw,file={cell.folder}/vars.fd"]
    try:
        for host in (here, there):
            os.makedirs(host.path(cell.folder))
            shutil.copy(here.path("/usr/share/OVMF/OVMF_CODE_4M.fd"), host.path(cell.folder + "/code.fd"))
        shutil.copy(here.path("/usr/share/OVMF/OVMF_VARS_4M.fd"), here.path(cell.folder + "/vars.fd"))
        cell.start(here)
        cell.move(there)
        return "moved"
    finally:
        cell.end()


KERNEL = ("console=ttyS0 quiet oops=panic panic=0 xg.tty=ttyS1 xg.hb_ms=20 xg.disk=/dev/vda,4,100,8 "
          "xg.ram=8,2,rand")


def guest(lab, source, target, machine):
    """A guest that checks its memory and its disk: nothing of it may be lost, or stand still for long."""
    cell = Cell(lab, machine, formats=("raw",), extra=[
        "-m", "96", "-kernel", "/tree/build/guest/vmlinuz", "-initrd", "/tree/build/guest/initrd", "-append", KERNEL])
    cell.extra += ["-serial", f"file:{cell.folder}/console", "-serial",
                   f"unix:{cell.folder}/heartbeat,server=on,wait=off"]
    here, there = lab.host(source, 0), lab.host(target, 1)
    subprocess.run([os.path.join(TOP, "tests/guest/build"), os.path.join(TOP, "build/guest")], check=True,
                   stdout=subprocess.DEVNULL)
    try:
        cell.start(here)
        with Watch(*(host.inside(cell.folder + "/heartbeat") for host in (here, there))) as watch:
            watch.wait_beats(5, 600)
            cell.move(there)
            gap_s = watch.wait_move()
            verdict = watch.ask("verify")
        if verdict != "V ok":
            raise Wrong(verdict)
        return f"moved, V ok, a pause of {gap_s * 1000:.0f} ms"
    finally:
        cell.end()
