#!/usr/bin/env python3
"""Faults × moments: other people's hands on a VM that is being moved, on real QEMU over a real
ssh, or over TLS to a real listener. A line a row: what happened, where the guest runs, what became of its
writes. None may be wrong.

    fault-table.py [--transport ssh|tls] [--some] [--jobs N] [--only TEXT] [--list]       XMIG=PATH: another xmig
"""

import argparse
import dataclasses
import multiprocessing
import os
import queue
import subprocess
import sys
import tempfile
import time
import traceback

import hands
from case import Case, Wrong, kill_all
from moving import Scene, guardians
from over_tls import TlsScene

# Of moments between which nothing changes, one.
EARLY = ["drive-mirror:end:send", "ram-stream:begin:send", "PAUSING:after:send"]
PAUSED = ["ram-stream:end:send", "PREPARED:before:recv"]
PREPARED = ["PREPARED:after:recv", "COMMIT:before:send"]
COMMITTED = ["COMMIT:after:send", "OWNED:before:recv"]
OWNED = ["OWNED:after:recv", "RESUMING:after:recv"]
RUNS = ["RUNNING:after:recv", "DONE:before:send", "DONE:after:send"]
GROUPS = {"early": EARLY, "paused": PAUSED, "prepared": PREPARED, "committed": COMMITTED, "owned": OWNED, "runs": RUNS}
ALL = EARLY + PAUSED + PREPARED + COMMITTED + OWNED + RUNS
SOME = ["ram-stream:begin:send", "PREPARED:after:recv", "COMMIT:after:send", "OWNED:after:recv", "DONE:after:send"]


@dataclasses.dataclass
class Row:
    hand: object
    moment: str
    undecided: bool = False  # may only a person decide then?
    guarded: bool = False    # nobody types anything, the guardians settle it
    slow_syncs: int = -1     # of each disk at the target; 0: all; -1: none

    def fault(self):
        return ("guarded: " if self.guarded else "") + self.hand.__name__.replace("_", " ")

    def group(self):
        return next((name for name, moments in GROUPS.items() if self.moment in moments), "early")

    def title(self):
        return f"{self.fault()} @ {self.moment or (f'{self.slow_syncs} flushes' if self.slow_syncs else 'all flushes')}"


# The faults of the way itself: its process dies, or stands still.
WAYS = {"ssh": ([hands.ssh_master], [hands.hang_ssh_master]),
        "tls": ([hands.listener, hands.listener_and_connections, hands.network_reset],
                [hands.hang_listener, hands.hang_network])}
# For hands that wait for the guest's writes, which go through lanes: those over TLS stand still with the sender.
WRITES = {"ssh": EARLY, "tls": ["block-ready-wait:end:recv", "ram-stream:begin:recv"]}
HANGS = ["drive-mirror:end:send", "ram-stream:end:send", "COMMIT:after:send"]


def rows(transport):
    table = []
    ends, hangs = WAYS[transport]

    def add(hand, moments, undecided=(), **more):
        table.extend(Row(hand, moment, moment in undecided, **more) for moment in moments)
    add(hands.sender, ALL)
    add(hands.receiver, ALL)
    add(hands.both, SOME)
    for hand in ends:
        add(hand, SOME)
    add(hands.target_qemu, ALL)
    add(hands.source_qemu, ALL, PAUSED + PREPARED + COMMITTED)
    add(hands.source_host, PAUSED + PREPARED + COMMITTED + OWNED, PAUSED + PREPARED + COMMITTED)
    add(hands.service_manager, ALL, COMMITTED)
    add(hands.service_manager_of_a_lost_host, PREPARED + COMMITTED + OWNED, COMMITTED)
    add(hands.cont_source, EARLY + PAUSED + PREPARED + COMMITTED + OWNED, COMMITTED + OWNED)
    add(hands.cont_target, ["PREPARED:after:recv", "COMMIT:before:send", "COMMIT:after:send", "OWNED:after:recv"],
        ["PREPARED:after:recv", "COMMIT:before:send"])
    add(hands.stop_source, WRITES[transport])
    add(hands.full_disk, ["params-copy:end:send", *WRITES[transport]])
    add(hands.slow_service_manager, ["COMMIT:after:send", "OWNED:before:recv", "OWNED:after:recv", "DONE:before:send"],
        ["COMMIT:after:send"])
    add(hands.second_start, ["COMMIT:after:send", "OWNED:before:recv", "OWNED:after:recv", "DONE:before:send"])
    add(hands.unlink_target_image, PAUSED + PREPARED + COMMITTED[:1])
    add(hands.replace_target_image, PAUSED + PREPARED + COMMITTED[:1])
    add(hands.complete_mirror, EARLY[:2])
    add(hands.hang_target_qemu, ["ram-stream:end:send", "OWNED:after:recv"])
    for hand in (hands.hang_receiver, *hangs):
        add(hand, HANGS)
    add(hands.slow_target, [""], slow_syncs=3)
    add(hands.slow_target, [""], slow_syncs=0)
    for hand in (hands.sender, hands.receiver, hands.both):
        add(hand, SOME, guarded=True)
    return table


def some(transport, table):
    """What another way to the target could make wrong: its own faults, and the ends of both programs."""
    ends, hangs = WAYS[transport]
    chosen = (*ends, *hangs, hands.sender, hands.receiver, hands.both)
    return [row for row in table if row.hand in chosen and row.moment in (SOME if row.hand not in hangs else HANGS)]


def each_once(table):
    """Each fault at one moment: the first has the first of its moments, the second the second, and so on."""
    faults = {}
    for row in table:
        faults.setdefault(row.fault(), []).append(row)
    return [rows_of[number % len(rows_of)] for number, rows_of in enumerate(faults.values())]


def slowness(scene, syncs):
    """The words before xmig at the target that make its disks, and its QEMU, slow."""
    if syncs < 0:
        return []
    counts = tempfile.mkdtemp(dir=scene.folder)
    library = scene.preloaded("../bench/slow-sync.c")
    return [f"LD_PRELOAD={library}", "SLOW_SYNC_FILES=-disk", "SLOW_SYNC_MS=1000", f"SLOW_SYNC_TIMES={syncs}",
            f"SLOW_SYNC_COUNTS={counts}", "SLOW_LISTEN_MS=500"]


def new_scene(transport):
    scene = {"ssh": Scene, "tls": TlsScene}[transport](disks=2, size=16, content=2, memory=80, disk_load="4,200,4", ram_load="4,2,rand", monitors=2)
    scene.guest_words = {"LD_PRELOAD": scene.preloaded("full-disk.c"), "FULL_DISK_FILES": ".raw",
                         "FULL_DISK_FLAG": hands.full_disk_flag(scene)}
    scene.__enter__()
    return scene


class Worker:
    """Keeps its guest from row to row, as long as it is well."""

    def __init__(self, transport):
        self.transport = transport
        self.scene = None

    def run(self, row):
        begun = time.monotonic()
        needs_first = row.hand in hands.NEED_FIRST_START
        if self.scene and needs_first and self.scene.moves:
            self.drop()
        try:
            self.scene = self.scene or new_scene(self.transport)
        except Exception as error:  # a row that is not told of would be waited for
            return row, f"{row.title():<55} no guest to be moved", str(error), ""
        self.scene.guarded = row.guarded
        self.scene.set_target_words(slowness(self.scene, row.slow_syncs))
        self.scene.relayed = row.hand in hands.NEED_RELAY
        case = Case(self.scene, row.hand, row.moment, ("--lease", "60s"), row.undecided)
        wrong = ""
        try:
            case.run()
        except Wrong as error:
            wrong = str(error)
        except Exception:  # whatever it is, the other rows are run
            wrong = traceback.format_exc(limit=3)
        line = describe(row, case, wrong, time.monotonic() - begun)
        if wrong or not case.is_clean():
            self.drop()
        elif case.states[1] == "running":
            self.scene.moved()
        return row, line, wrong, case.output

    def drop(self):
        if self.scene:
            kill_all(guardians(self.scene))
            self.scene.__exit__()
        self.scene = None


def describe(row, case, wrong, took_s):
    sent = "killed" if case.sent is None else case.sent
    return (f"{row.title():<55} {sent!s:>6} {case.status!s:>5}  {case.states[0]:<12} {case.states[1]:<12} "
            f"{case.last_record('source'):<9} {case.last_record('target'):<12} {case.writes:<11} "
            f"{took_s:5.1f} s  {'WRONG: ' + wrong if wrong else 'ok'}")


def work(transport, todo, done):
    worker = Worker(transport)
    while True:
        try:
            row = todo.get(timeout=1)
        except queue.Empty:
            break
        done.put(worker.run(row))
    worker.drop()


def summary(results, took_s):
    """How many were right, and how many wrong, of each fault at the moments of each group."""
    faults = list(dict.fromkeys(row.fault() for row, _ in results))
    lines = [f"{'right (wrong)':<32}" + "".join(f"{name:>11}" for name in GROUPS)]
    for fault in sorted(faults):
        line = f"{fault:<32}"
        for group in GROUPS:
            wrong = [bool(why) for row, why in results if (row.fault(), row.group()) == (fault, group)]
            cell = f"{len(wrong) - sum(wrong)}" + (f" ({sum(wrong)})" if any(wrong) else "") if wrong else "."
            line += f"{cell:>11}"
        lines.append(line)
    moments = {row.moment for row, _ in results}
    lines.append(f"{len(results)} rows, {len(faults)} faults at {len(moments)} moments, in {took_s / 60:.0f} min: "
                 f"{sum(1 for _, why in results if why)} wrong")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Faults and moments of a move.")
    parser.add_argument("--transport", choices=WAYS, default="ssh")
    parser.add_argument("--some", action="store_true", help="only rows that depend on it most")
    parser.add_argument("--each", action="store_true", help="each fault once, at another moment than the fault before it")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="rows whose title has this text")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    table = rows(args.transport)
    if args.some:
        table = some(args.transport, table)
    if args.each:
        table = each_once(table)
    table = [row for row in table if args.only in row.title()]
    if args.list:
        print("\n".join(row.title() for row in table))
        return 0
    todo, done = multiprocessing.Queue(), multiprocessing.Queue()
    for row in table:
        todo.put(row)
    workers = [multiprocessing.Process(target=work, args=(args.transport, todo, done)) for _ in range(min(args.jobs, len(table)))]
    for worker in workers:
        worker.start()
    print(f"{'fault @ moment':<55} {'send':>6} {'then':>5}  {'source':<12} {'target':<12} {'journals':<22} {'writes'}")
    begun, results = time.monotonic(), []
    for _ in table:
        row, line, why, output = done.get()
        results.append((row, why))
        print(line, flush=True)
        if why:
            print("".join(f"    | {text}\n" for text in output.splitlines()[-12:]), end="", flush=True)
    for worker in workers:
        worker.join()
    print("\n" + summary(results, time.monotonic() - begun))
    wrong = sum(1 for _, why in results if why)
    if os.environ.get("COUNTS"):
        with open(os.environ["COUNTS"], "w", encoding="ascii") as file:
            file.write(f"{len(table) - wrong} {wrong}\n")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
