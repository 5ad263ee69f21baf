"""Each option of the manual of QEMU 7.2 (tests/qemu-help/lines), on its way to a newer version."""

import os
import shlex
import time

import vm
from cells import Cell, Wrong

LINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu-help/lines")


def lines():
    """(OUTCOME, words) of those that can be started and moved on any host."""
    with open(LINES, encoding="ascii") as file:
        for line in file:
            if line.startswith(("moves", "refused")):
                outcome, words = line.split(None, 1)
                yield outcome, words.strip()


class LineCell(Cell):
    """A VM with no disk but those of its line, which is started as a shell does: not as a daemon."""

    def __init__(self, lab, line):
        super().__init__(lab, formats=())
        self.extra = line.replace("%", self.folder).split()

    def command(self):
        words = vm.words(self.name, self.folder, self.machine, self.bus, (), self.extra)[:-1]
        if "-accel" in self.extra:
            at = words.index("-machine") + 1
            words[at] = words[at].split(",")[0]
        return words

    def give(self, host, *names):
        """Files of the VM's folder: a disk, a medium and a small file."""
        os.makedirs(host.path(self.folder), exist_ok=True)
        for name in names:
            with open(host.path(f"{self.folder}/{name}"), "wb") as file:
                file.write(b"\xaa" * 512)
                file.truncate(512 if name == "small" else 4 << 20)

    def start(self, host):
        self.give(host, "disk", "old.iso", "small")
        self.host = host
        host.on(f"cd {self.folder}; setsid {shlex.join(self.command())} >log 2>&1 </dev/null &")
        for _ in range(600):
            if host.qmp(self.folder).state() == "running":
                return
            time.sleep(0.1)
        with open(host.path(self.folder + "/log"), encoding="utf-8") as file:
            raise Wrong(f"it does not start: {file.read()}")


def cell(lab, source, target, outcome, line):
    moving = LineCell(lab, line)
    here, there = lab.host(source, 0), lab.host(target, 1)
    try:
        moving.start(here)
        moving.give(there, "old.iso", "small")
        if outcome == "refused":
            return "refused: " + moving.refused(there).strip().splitlines()[0]
        moving.move(there)
        return "moved"
    finally:
        moving.end()
