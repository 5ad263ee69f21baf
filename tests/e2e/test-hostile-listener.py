#!/usr/bin/env python3
"""What the sender does when the other end of its connection lies, floods, hangs or falls silent.

    test-hostile-listener.py [--all] [-k WORD]... [--mutated N] [--seed N] [-v]      $XMIG, else build/dev/xmig

--all: every row, instead of some that take no time. --mutated: so many sessions of an honest receiver, changed at random, from
--seed on; a failure names its seed, and --seed N --mutated 1 plays it again.
"""

import argparse
import concurrent.futures
import os
import re
import sys

import lies
import lies_qemu
import lies_tls
from mutated import MutatedReceiver
from receiver import Door, Host, Receiver, Wrong

LIMIT_S = 200
QUICK_EVERY = 40  # without --all one row of so many is tried, of those that wait for nothing
QUICK_SESSIONS = 4
SLOW = re.compile("never|only|flood|alive|two types|asked, it|slow|byte by byte|takes nothing|after our abort|MB|hang|stall|time|"
                  "10,000|900 kB|endless|for ever|says nothing")


def run_of(name, told, options):
    if name.startswith("QEMU: "):
        return lies_qemu.attempt(told, options, LIMIT_S)
    door = lies_tls.TlsDoor if name.startswith("TLS: ") else Door
    with Host(Receiver(told), door) as host:
        run = host.send(*options, limit_s=LIMIT_S)
        if "recover" in told:
            host.receiver.lies = told["recover"]
            run = host.recover(limit_s=LIMIT_S)
        return run


def summary(run):
    """Of what it said the end: thousands of runs are remembered."""
    return f"{run.seconds:5.1f} s {run.memory_mib:4.0f} MiB exit {run.status}", " | ".join(run.said.splitlines()[-2:])[-300:]


def attempt(row):
    name, told, statuses, words, options = row
    try:
        run = run_of(name, told, options)
        if statuses and run.status not in statuses:
            raise Wrong(f"exit {run.status}, not {statuses}: {run.said}")
        if not re.search(words, run.said):
            raise Wrong(f"exit {run.status}, but not '{words}': {run.said}")
        return name, None, summary(run)
    except Wrong as error:
        return name, str(error), None


def play(seed):
    name = f"seed {seed}"
    try:
        with Host(MutatedReceiver(seed)) as host:
            return name, None, summary(host.send("--deadline", "3s", "--max-pause", "1s", limit_s=LIMIT_S))
    except Wrong as error:
        return name, str(error), None


def chosen(options):
    rows = [*lies.named(), *lies.with_statuses((*lies_tls.rows(), *lies_qemu.rows()))]
    if options.k:
        return [row for row in rows if any(word in row[0] for word in options.k)]
    if options.all:
        return rows
    return [row for row in rows if not SLOW.search(row[0])][::QUICK_EVERY]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-k", action="append", default=[])
    parser.add_argument("--mutated", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=16)
    options = parser.parse_args()
    rows = chosen(options)
    if options.mutated is None:
        options.mutated = 0 if options.k or options.all else QUICK_SESSIONS
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        results = [pool.submit(attempt, row) for row in rows]
        results += [pool.submit(play, options.seed + number) for number in range(options.mutated)]
        for result in concurrent.futures.as_completed(results):
            name, problem, run = result.result()
            failed += problem is not None
            if problem:
                print(f"FAILED {name}: {problem[:3000]}")
            elif options.v:
                print(f"{run[0]} {name}: {run[1]}")
    print(f"{len(rows)} misbehaviours, {options.mutated} mutated sessions, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    STATUS = main()
    lies_tls.forget()
    sys.stdout.flush()
    os._exit(STATUS)  # past the threads that still wait for a sender
