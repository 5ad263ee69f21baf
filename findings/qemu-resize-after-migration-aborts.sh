#!/bin/bash
# After a live migration has completed, the source's QEMU still answers. A monitor command that writes to
# a disk ends it: block_resize runs into an assertion (bdrv_co_write_req_prepare: the image is inactive), and the
# process aborts, with the paused guest that was to go on if the target fails.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
mount_devices "$root"
truncate -s 1M "$root/tmp/image"
chroot "$root" qemu-system-x86_64 -nodefaults -display none -machine pc,accel=tcg -m 32 \
    -qmp unix:/tmp/qmp,server=on,wait=off \
    -drive file=/tmp/image,format=raw,if=none,id=d -device virtio-blk-pci,drive=d >/dev/null 2>&1 &
await "$root/tmp/qmp"
python3 - "$root/tmp/qmp" <<'END'
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
        if "return" in line or "error" in line:
            return line.get("return", line)

ask("qmp_capabilities")
ask("migrate", uri="exec:cat >/dev/null")
while ask("query-migrate").get("status") != "completed":
    time.sleep(0.1)
try:
    ask("block_resize", device="d", size=2 << 20)
except (OSError, ValueError):
    pass
END
status=0
wait $! || status=$?
expect "QEMU's status after block_resize" "$status" 134
finish
