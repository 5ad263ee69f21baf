#!/bin/bash
# After a live migration has completed, the disks belong to the target, and the source's QEMU waits, paused. A
# blockdev-snapshot-sync there is thought to be refused. It succeeds, also while the target (on a shared disk) has
# the image locked and writes to it: the "snapshot" has that image beneath it, shows what the target writes later,
# and so holds no moment of the disk. It is also what the source's guest goes on with, if it is told to `cont`. Who
# wants a snapshot of a VM that has moved has to make it at the target.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm qemu-utils=1:7.2+dfsg-7+deb12u18+b3 qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
mount_devices "$root"
truncate -s 1M "$root/tmp/image"
chroot "$root" qemu-system-x86_64 -nodefaults -display none -machine pc,accel=tcg -m 32 \
    -qmp unix:/tmp/qmp,server=on,wait=off \
    -drive file=/tmp/image,format=raw,if=none,id=d -device virtio-blk-pci,drive=d >/dev/null 2>&1 &
await "$root/tmp/qmp"
# The writer of the image stands for the target.
seen=$(python3 - "$root" <<'END'
import json, socket, subprocess, sys, time

root = sys.argv[1]
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(root + "/tmp/qmp")
lines = monitor.makefile("rw")
lines.readline()

def ask(command, **arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        line = json.loads(lines.readline())
        if "error" in line:
            return line["error"]["desc"]
        if "return" in line:
            return line["return"]

def write(pattern):
    writer.stdin.write(f"write -P {pattern} 0 64k\n")
    writer.stdin.flush()
    while not writer.stdout.readline().startswith("64 KiB"):
        pass

ask("qmp_capabilities")
ask("migrate", uri="exec:cat >/dev/null")
while ask("query-migrate")["status"] != "completed":
    time.sleep(0.1)
writer = subprocess.Popen(["chroot", root, "qemu-io", "-f", "raw", "/tmp/image"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
write(1)
print(ask("blockdev-snapshot-sync", **{"device": "d", "snapshot-file": "/tmp/overlay", "format": "qcow2"}))
write(2)
writer.stdin.close()
writer.wait()
print(ask("cont") or ask("query-block")[0]["inserted"]["file"])
ask("quit")
END
)
wait $!
status=0
chroot "$root" qemu-io -r -f qcow2 -c 'read -P 2 0 64k' /tmp/overlay >/dev/null || status=$?
expect 'the snapshot' "$(sed -n 1p <<<"$seen")" '{}'
expect 'status of looking in it for what was written later' "$status" 0
expect 'what the guest goes on with' "$(sed -n 2p <<<"$seen")" /tmp/overlay
finish
