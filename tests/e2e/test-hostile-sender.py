#!/usr/bin/env python3
"""A sender that misbehaves, against a receiver with sanitizers: each of the misbehaviours has its end.

    test-hostile-sender.py [--all] [-k WORDS] [--table TABLE] [--door DOOR] [--seeds FIRST:COUNT] [--no-table]

Without --all: a part that takes seconds. A mutated session that fails is played again by its seed, with
--no-table --seeds SEED:1. $XMIG, else build/dev/xmig.
"""

import argparse
import concurrent.futures
import queue
import sys
import time
import traceback

import sender_lanes
import sender_paths
import sender_tls
import sender_words
from hostile import Wrong
from mutated_sender import play_mutated
from sender import DOORS, play

TABLES = {"words": sender_words.TABLE, "lanes": sender_lanes.TABLE, "paths": sender_paths.TABLE,
          "tls": sender_tls.TABLE}
TABLE = [each for table in TABLES.values() for each in table]


class Doors:
    """A listener serves one that misbehaves at a time; a receiver by pipe is made for each."""

    def __init__(self, workers):
        self.listeners = queue.SimpleQueue()
        self.made = []
        self.workers = workers

    def play(self, how, misbehaviour, name):
        """By play() or play_mutated()."""
        if name != "tls":
            door = DOORS[name]()
            try:
                how(misbehaviour, door)
            finally:
                door.close()
            return
        try:
            door = self.listeners.get_nowait()
        except queue.Empty:
            door = DOORS[name]()
            self.made.append(door)
        try:
            how(misbehaviour, door)
        finally:
            self.listeners.put(door)

    def close(self):
        for door in self.made:
            door.close()


def choose(options):
    """Each with the doors that it is tried at: by turns, or all of them."""
    for number, each in enumerate(TABLE):
        if (options.k and options.k not in each.name) or (options.table and each not in TABLES[options.table]):
            continue
        if options.door:
            doors = [options.door] if options.door in each.doors else []
        elif options.all:
            doors = each.doors
        else:
            doors = each.doors[number % len(each.doors):][:1] if each.in_check or options.k else []
        for door in doors:
            yield each, door


def seeds(options):
    first, _, count = options.seeds.partition(":")
    return range(int(first), int(first) + int(count or 1))


def run(pool, doors, options):
    """What runs, by its name."""
    running = {}
    if not options.no_table:
        for each, door in choose(options):
            running[pool.submit(doors.play, play, each, door)] = f"{each.name} ({door})"
    for seed in seeds(options):
        door = list(DOORS)[seed % len(DOORS)]
        running[pool.submit(doors.play, play_mutated, seed, door)] = f"a mutated session ({door})"
    return running


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-k", metavar="WORDS")
    parser.add_argument("--table", choices=TABLES)
    parser.add_argument("--door", choices=DOORS)
    parser.add_argument("--no-table", action="store_true")
    parser.add_argument("--seeds", default="1:24", metavar="FIRST:COUNT")
    parser.add_argument("--jobs", type=int, default=6)
    options = parser.parse_args()
    begun, failed, done = time.monotonic(), 0, 0
    doors = Doors(options.jobs)
    names = [each.name for each in TABLE]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = run(pool, doors, options)
        for future in concurrent.futures.as_completed(running):
            done += 1
            error = future.exception()
            if error:
                failed += 1
                text = str(error) if isinstance(error, Wrong) else "".join(traceback.format_exception(error))
                print(f"WRONG: {running[future]}: {text}", flush=True)
    doors.close()
    tried = {name.rpartition(" (")[0] for name in running.values()} & set(names)
    print(f"{len(tried)} of {len(names)} misbehaviours, and {len(seeds(options))} mutated sessions: {done} conversations, "
          f"{failed} wrong, {time.monotonic() - begun:.1f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
