#!/usr/bin/env python3
"""Moves one guest again and again, in the default RAM mode, without a second try.

    soak.py [MOVES]      (100) prints a table: moves, lost guests, downtime, total time
"""

import os
import statistics
import sys

from moving import Broken, Scene, Watch


def one_move(scene):
    """The move's result; raises when anything but a healthy guest comes of it."""
    with Watch(scene.guest.heartbeat, scene.next_guest().heartbeat) as watch:
        watch.wait_beats(3)
        result, status = scene.send()
        if status != 0:
            raise Broken(f"status {status}: {result and result['error']}")
        watch.wait_move()
        watch.wait_beats(10)
        answer = watch.ask("verify", 120)
        if answer != "V ok":
            raise Broken(answer)
    scene.moved()
    for image in os.listdir(scene.vm_folder):
        if ".moved-" in image:
            os.unlink(os.path.join(scene.vm_folder, image))
    return result


def quantiles(values):
    return f"{min(values):>8.0f} {statistics.median(values):>8.0f} {max(values):>8.0f}"


def main():
    moves = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    results, broken = [], []
    while len(results) + len(broken) < moves:
        with Scene(disks=2, size=24, content=4, disk_load="4,200,4", ram_load="16,8,rand") as scene:
            try:
                while len(results) + len(broken) < moves:
                    results.append(one_move(scene))
            except Broken as error:
                broken.append(str(error))
                print(f"move {len(results) + len(broken)}: {error}", flush=True)
    print(f"{moves} moves, {len(broken)} broken")
    if results:
        print(f"{'':<14}{'min':>8} {'median':>8} {'max':>8}")
        print(f"{'downtime, ms':<14}{quantiles([r['downtime_ms'] for r in results])}")
        print(f"{'total, ms':<14}{quantiles([r['elapsed_ms'] for r in results])}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
