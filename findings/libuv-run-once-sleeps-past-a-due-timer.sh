#!/bin/bash
# uv_run(UV_RUN_ONCE) is thought to return when a callback has run: loops that turn until something has happened, or
# a timer has set a flag, are written so. libuv before 1.45 runs the timers that are due as it begins, and then
# sleeps until something else happens. So a program that was busy for longer than its time limit notices that late,
# or not at all. uv_stop() in the timer's callback makes uv_run() return.
#
# Seen with Debian 12's libuv1 1.44.2-1+deb12u1 and Debian 13's libuv1t64 1.50.0-2. One timer is due when uv_run()
# begins, another 2 s later: 1.44.2 returns after both, and with uv_stop() after the first; 1.50.0 returns after the
# first.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

ran() { # ROOT STOPS: the timers that have run when uv_run() returns; whether the first one calls uv_stop()
    chroot "$1" python3 - "$2" <<'END'
import ctypes, sys, time

RUN_ONCE, TIMER = 1, 13
uv = ctypes.CDLL("libuv.so.1")
uv.uv_default_loop.restype = ctypes.c_void_p
loop = ctypes.c_void_p(uv.uv_default_loop())
callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
ran = []

@callback
def is_due(handle):
    ran.append("due")
    if sys.argv[1] == "yes":
        uv.uv_stop(loop)

@callback
def is_later(handle):
    ran.append("later")

timers = [ctypes.create_string_buffer(uv.uv_handle_size(TIMER)) for _ in range(2)]
for timer, function, ms in zip(timers, (is_due, is_later), (10, 2000)):
    uv.uv_timer_init(loop, timer)
    uv.uv_timer_start(timer, function, ctypes.c_uint64(ms), ctypes.c_uint64(0))
time.sleep(0.1)
uv.uv_run(loop, RUN_ONCE)
print(*ran)
END
}

bookworm=$(debian_root bookworm libuv1=1.44.2-1+deb12u1 python3=3.11.2-1+b1)
trixie=$(debian_root trixie libuv1t64=1.50.0-2 python3=3.13.5-1)
expect '1.44.2' "$(ran "$bookworm" no)" 'due later'
expect '1.44.2, with uv_stop()' "$(ran "$bookworm" yes)" due
expect '1.50.0' "$(ran "$trixie" no)" due
finish
