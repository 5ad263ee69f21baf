#!/usr/bin/env python3
"""Moves VMs between hosts with QEMU 7.2, 10.0 and 11.1, and prints a table of what became of them.

    matrix.py            a few cells
    matrix.py --some     a guest between each pair of versions, and each other kind of cell once
    matrix.py --all      every pair of versions, machine and kind of disk
    matrix.py WORD...    the cells whose names have all these words, such as 10.0-11.1 q35

Needs root. $XMIG is the program (build/release/xmig). The last line counts the cells.
"""

import concurrent.futures
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import cells
import hosts
import option_lines
import units
import vm

VERSIONS = tuple(hosts.SUITES)


class Lab:
    """Two hosts of each version, made when they are asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.patterns = vm.Patterns(self.folder)
        self.hosts = {}
        self.lock = threading.Lock()

    def host(self, version, number):
        with self.lock:
            if (version, number) not in self.hosts:
                self.make(version, number)
            return self.hosts[version, number]

    def make(self, version, number):
        host = hosts.Host("ab"[number] + version.replace(".", ""), version, self.folder)
        for other in self.hosts.values():
            host.meet(other)
            other.meet(host)
        self.hosts[version, number] = host

    def end(self):
        for host in self.hosts.values():
            host.end()


# ---- the cells ----

def bare_cell(source, target, machine, bus):
    def run(lab):
        return cells.bare(lab, lab.host(source, 0), lab.host(target, 1), machine, bus,
                          may_move=bus != "nvme" or (source, target) == ("11.1", "11.1"))
    return run


def with_hosts(cell, *arguments):
    return lambda lab: cell(lab, *arguments)


def all_cells():
    """NAME: function."""
    found = {}
    for source, target in itertools.product(VERSIONS, VERSIONS):
        for machine, bus in itertools.product(vm.MACHINES, vm.BUSES):
            found[f"{source}-{target} {machine} {bus}"] = bare_cell(source, target, machine, bus)
        found[f"{source}-{target} ovmf"] = with_hosts(cells.firmware, source, target)
        found[f"{source}-{target} guest"] = with_hosts(cells.guest, source, target, "q35" if source == "7.2" else "pc")
        found[f"{source}-{target} thin"] = with_hosts(cells.thin, source, target)
    found["10.0-11.1 thin discard=ignore"] = with_hosts(cells.thin, "10.0", "11.1", ",discard=ignore")
    found["10.0-10.0 systemd"] = with_hosts(units.managed_by_systemd, "10.0")
    found["10.0-11.1 long queues"] = cells.long_queues
    found["10.0-7.2-11.1 long queues"] = cells.long_queues_by_another_host
    found["7.2-10.0-11.1 short queues"] = cells.short_queues_by_another_host
    for source, target, machine in (("10.0", "7.2", "pc-i440fx-10.0"), ("11.1", "10.0", "pc-q35-11.1"),
                                    ("7.2", "11.1", "pc-i440fx-2.6")):
        found[f"{source}-{target} machine {machine}"] = with_hosts(cells.newer_machine, source, target, machine)
    for outcome, line in option_lines.lines():
        found["7.2-11.1 line " + line] = with_hosts(option_lines.cell, "7.2", "11.1", outcome, line)
    return found


# Between two versions only, because each system has to be made first.
FEW = ("10.0-11.1 q35 virtio-blk", "10.0-11.1 pc virtio-scsi", "11.1-10.0 pc ide", "11.1-10.0 q35 nvme",
       "10.0-11.1 long queues", "11.1-10.0 machine pc-q35-11.1")


def some(found):
    """A guest for each pair, and each other kind for one pair, by turns; of the lines of options one in eight."""
    pairs = [f"{source}-{target}" for source, target in itertools.product(VERSIONS, VERSIONS)]
    kinds = [f"{machine} {bus}" for machine, bus in itertools.product(vm.MACHINES, vm.BUSES)] + ["ovmf", "thin"]
    of_pairs = {f"{pair} {kind}" for pair in pairs for kind in [*kinds, "guest"]}
    lines = [name for name in found if " line " in name]
    names = {f"{pair} guest" for pair in pairs}
    names |= {f"{pair} {kind}" for pair, kind in zip(itertools.cycle(pairs), kinds)}
    names |= found.keys() - of_pairs - set(lines)
    names |= set(lines[::8]) | {"11.1-11.1 q35 nvme"}
    return {name: run for name, run in found.items() if name in names}


def chosen(arguments):
    found = all_cells()
    if arguments == ["--all"]:
        return found
    if arguments == ["--some"]:
        return some(found)
    if arguments:
        return {name: run for name, run in found.items() if all(word in name.split() for word in arguments)}
    return {name: found[name] for name in FEW}


# ---- running them ----

def run_cell(lab, run):
    try:
        return True, run(lab)
    except Exception as error:  # pylint: disable=broad-except
        return False, f"FAILED: {type(error).__name__}: {error}"


def make_systems(wanted):
    """At once, those that are not there yet."""
    versions = {version for name in wanted for version in name.split()[0].split("-")}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(hosts.system_root, sorted(versions)))


def run_all(lab, wanted):
    """What was said of each cell that is as it should be, by its name."""
    results = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {pool.submit(run_cell, lab, run): name for name, run in wanted.items()}
        for done in concurrent.futures.as_completed(running):
            good, said = done.result()
            print(f"{running[done]:32} {said}", flush=True)
            if good:
                results[running[done]] = said
    return results


def print_table(wanted, results):
    """A row for each pair of versions, a column for each kind of VM."""
    names = [name.split(" ", 1) for name in wanted if re.match(r"[0-9.]+-[0-9.]+ ", name)]
    pairs, kinds = ([*dict.fromkeys(part)] for part in zip(*names))
    kinds = [kind for kind in kinds if sum(name[1] == kind for name in names) == len(pairs)]
    if not kinds:
        return
    print("\n| |", " | ".join(kinds), "|")
    print("|---" * (len(kinds) + 1) + "|")
    for pair in pairs:
        words = [results.get(f"{pair} {kind}", "FAILED").split(":")[0].split(" (")[0] for kind in kinds]
        print("|", pair.replace("-", " → "), "|", " | ".join(words), "|")
    print()


def in_a_place_of_its_own():
    """The hosts' mounts are seen in a mount namespace of their own only, and are gone with it: so what
    is removed here is never what was mounted there.
    """
    folder = tempfile.mkdtemp(prefix="xmig-versions-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                               sys.executable, *sys.argv],
                              env={**os.environ, "XMIG_VERSIONS_FOLDER": folder}, check=False).returncode
    finally:
        if not os.environ.get("XMIG_TEST_KEEP"):
            shutil.rmtree(folder)


def main():
    wanted = chosen(sys.argv[1:])
    if not wanted:
        sys.exit("matrix.py: there is no such cell")
    if "XMIG_VERSIONS_FOLDER" not in os.environ:
        sys.exit(in_a_place_of_its_own())
    make_systems(wanted)
    lab = Lab(os.environ["XMIG_VERSIONS_FOLDER"])
    try:
        began = time.monotonic()
        results = run_all(lab, wanted)
        failed = len(wanted) - len(results)
        print_table(wanted, results)
        print(f"{len(results)} cells as they should be, {failed} not ({time.monotonic() - began:.0f} s)")
    finally:
        lab.end()
    if "COUNTS" in os.environ:  # of ./check
        with open(os.environ["COUNTS"], "w", encoding="ascii") as file:
            file.write(f"{len(results)} {failed}\n")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
