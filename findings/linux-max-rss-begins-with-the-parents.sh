#!/bin/bash
# wait4() and getrusage(RUSAGE_CHILDREN) are thought to tell how much memory a program needed that one has started
# (ru_maxrss). On Linux that is at least the size of what the process was before it became that program, which is its
# parent's image: after fork() the parent's resident size at that moment, with posix_spawn() and vfork() (so with
# Python's subprocess) the largest that the parent has ever had, also when it has given that memory back. A large
# program, or one that was, is told its own size for each small one that it measures. With a small program between the
# two (GNU time -f %M) the small one's own is told.
#
# Seen with Linux 6.18 and Debian 12's glibc 2.36-9+deb12u14 and time 1.9-0.2. /bin/true, in steps of 100 MiB:
#     from a parent of some MiB           posix_spawn 0   fork 0
#     from the same with 300 MiB more     posix_spawn 3   fork 3   posix_spawn of time, which says 0
#     when these are given back           posix_spawn 3   fork 0   posix_spawn of time, which says 0
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm libc6=2.36-9+deb12u14 time=1.9-0.2 python3=3.11.2-1+b1)
mapfile -t said < <(chroot "$root" python3 <<'END'
import mmap, os

SIZE = 300 << 20

def steps(kib):
    return kib // (100 << 10)

def spawned(program, *arguments):
    child = os.posix_spawn(program, [program, *arguments], {})
    return steps(os.wait4(child, 0)[2].ru_maxrss)

def forked(program):
    child = os.fork()
    if child == 0:
        os.execv(program, [program])
    return steps(os.wait4(child, 0)[2].ru_maxrss)

def timed(program):
    spawned("/usr/bin/time", "-f", "%M", "-o", "/tmp/kib", program)
    with open("/tmp/kib") as file:
        return steps(int(file.read()))

def tell():
    print(spawned("/bin/true"), forked("/bin/true"), timed("/bin/true"))

tell()
memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, SIZE, mmap.PAGESIZE):
    memory[at] = 1
tell()
memory.close()
tell()
END
)
expect 'from a small parent: posix_spawn, fork, time' "${said[0]}" '0 0 0'
expect 'from a large one' "${said[1]}" '3 3 0'
expect 'from one that was large' "${said[2]}" '3 0 0'
finish
