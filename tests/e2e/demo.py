#!/usr/bin/env python3
"""The show behind ./demo: a busy guest moves over real ssh with its two disks, and back.

    demo.py [--keep]        needs build/release/xmig and build/guest
"""

import filecmp
import json
import os
import signal
import subprocess
import sys
import time

from moving import Scene, Watch, is_stopped, receivers

DISK_MIB = 256


def say(text=""):
    print(text, flush=True)


def heading(text):
    say(f"\n== {text}")


def shown(command):
    """The command as a person would type it: the test's own paths left out."""
    words = [word for word in command if word != "--json"]
    words[0] = "xmig"
    for option in ("--rsh", "--remote-path"):
        at = words.index(option)
        del words[at:at + 2]
    return " ".join(words)


def run_send(scene, *options):
    """xmig's own progress goes to the terminal; its last JSON object is returned."""
    command = scene.send_command(*options)
    say(f"$ {shown(command)}")
    done = subprocess.run(command, env={**os.environ, **scene.environment("source")}, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def expect(holds, what):
    if not holds:
        sys.exit(f"demo: this should not have happened: {what}")
    say(f"   ok  {what}")


def move_there(scene):
    target = scene.next_guest()
    with Watch(scene.guest.heartbeat, target.heartbeat) as watch:
        before = watch.wait_beats(5)
        say(f"   it says heartbeat {before.n}, {before.acked[0]} and {before.acked[1]} writes flushed to its disks")
        result = run_send(scene)
        expect(result["outcome"] == "done", f"xmig says that the VM runs at the {result['where']}")
        gap_s = watch.wait_move()
        after = watch.wait_beats(20)
        expect(after.n > before.n, f"heartbeats {before.n} to {after.n} came without a missing number")
        say(f"       longest silence {gap_s * 1000:.0f} ms on the serial line; downtime by xmig's own clock "
            f"{result['downtime_ms']} ms")
        expect(watch.ask("verify", 120) == "V ok", "the guest has read back every block and every page it wrote")
    expect(scene.guest.state() == "gone", "the source's QEMU is gone; its images are still there, renamed .moved-ID")
    scene.moved()


def move_back_and_compare(scene):
    target = scene.next_guest()
    say("   the receiver is stopped for a moment when it owns the guest, so that nobody writes")
    process = scene.start_send("--fault", "OWNED:after:recv:stop", "-q")
    scene.wait(lambda: any(map(is_stopped, receivers(scene))), "the receiver to stop", 120)
    for mine, theirs in zip(scene.guest.images(), target.images()):
        expect(filecmp.cmp(mine, theirs, shallow=False),
               f"{os.path.basename(mine)} and {os.path.basename(theirs)} are identical, {DISK_MIB} MiB")
    for pid in filter(is_stopped, receivers(scene)):
        os.kill(pid, signal.SIGCONT)
    result = scene.result_of(process)
    expect(result["outcome"] == "done", "the guest is back")
    scene.moved()
    with Watch(scene.guest.heartbeat) as watch:
        watch.wait_beats(20)
        expect(watch.ask("verify", 120) == "V ok", "and again finds all that it wrote")


def how_to_look(scene):
    heading("kept")
    say(f"   the guest: {scene.guest.name}, in {scene.vm_folder}")
    say(f"   its heartbeat:  python3 tests/guest/heartbeat.py wait {scene.guest.heartbeat}")
    say(f"   end it:         kill $(cat {scene.guest.pidfile})")
    say(f"   the ssh server: tests/e2e/sshd stop {scene.folder}/sshd")


def main():
    keep = "--keep" in sys.argv[1:]
    begun_s = time.monotonic()
    scene = Scene(disks=2, memory=192, size=DISK_MIB, content=64, disk_load="16,200,8", ram_load="48,8,rand")
    try:
        heading("a guest starts: 2 disks with a writer on each, RAM that changes, a heartbeat each 10 ms")
        scene.__enter__()
        heading("it moves to another host over ssh")
        move_there(scene)
        heading("it moves back; are the disks byte for byte the same at the switch?")
        move_back_and_compare(scene)
        say(f"\ndemo: done in {time.monotonic() - begun_s:.0f} s")
        if keep:
            how_to_look(scene)
    finally:
        if not keep:
            scene.__exit__()


if __name__ == "__main__":
    main()
