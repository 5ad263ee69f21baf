#!/bin/bash
# QEMU's `stop`, which pauses the guest for the last step of a live migration, flushes every block
# node, the targets of mirror jobs included, one after another: with three mirrors whose targets take
# 2 s to flush the guest's pause begins with 6 s, although nothing was written. One would expect the
# flushes at once, or those of the guest's own disks only. A pause so depends on how fast the other
# host's disks flush, times their number.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3, seconds that `stop` takes with 0, 1, 2
# and 3 mirrors that are ready: 0 2 4 6. The targets are nbdkit's 1.32.5-1, whose flush sleeps.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 nbdkit=1.32.5-1)
mount_devices "$root"
disks=()
for n in 1 2 3; do
    truncate -s 1M "$root/tmp/image$n"
    # shellcheck disable=SC2016 # nbdkit's shell expands it
    chroot "$root" nbdkit -f -U "/tmp/nbd$n" eval get_size='echo 1M' can_write='exit 0' \
        pread='head -c "$3" /dev/zero' pwrite='cat >/dev/null' can_flush='exit 0' flush='sleep 2' \
        can_zero='exit 0' zero='exit 0' &
    disks+=(-drive "file=/tmp/image$n,format=raw,if=none,id=d$n" -device "virtio-blk-pci,drive=d$n")
    await "$root/tmp/nbd$n"
done
chroot "$root" qemu-system-x86_64 -nodefaults -display none -machine pc,accel=tcg -m 32 \
    -qmp unix:/tmp/qmp,server=on,wait=off "${disks[@]}" >/dev/null 2>&1 &
await "$root/tmp/qmp"
seconds=$(python3 - "$root/tmp/qmp" <<'END'
import json, socket, sys, time

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
lines = monitor.makefile("rw")
lines.readline()

def ask(command, **arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        line = json.loads(lines.readline())
        if "error" in line:
            sys.exit(str(line))
        if "return" in line:
            return

def seconds_of_stop():
    began = time.monotonic()
    ask("stop")
    took = time.monotonic() - began
    ask("cont")
    return int(took)

ask("qmp_capabilities")
seen = [seconds_of_stop()]
for n in (1, 2, 3):
    ask("blockdev-add", **{"driver": "nbd", "node-name": f"t{n}",
                           "server": {"type": "unix", "path": f"/tmp/nbd{n}"}})
    ask("blockdev-mirror", **{"job-id": f"m{n}", "device": f"d{n}", "target": f"t{n}", "sync": "full"})
    while json.loads(lines.readline()).get("event") != "BLOCK_JOB_READY":
        pass
    seen.append(seconds_of_stop())
print(*seen)
END
)
expect 'seconds of stop with 0, 1, 2, 3 mirrors' "$seconds" '0 2 4 6'
finish
