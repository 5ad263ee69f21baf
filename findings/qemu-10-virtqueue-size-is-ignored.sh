#!/bin/bash
# QEMU 10.0.13 gives each virtqueue 1024 entries, whatever queue-size says: asked for 128, it shows
# the guest 1024 (7.2 shows 128). A guest that was started there keeps the 1024 through a live
# migration, and a QEMU that honours the option (11.1) then refuses to load it. Whether a VM can be
# moved can thus not be read off its command line; x-query-virtio-queue-status tells.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3: 128, and Debian 13's
# 1:10.0.13+ds-0+deb13u1: 1024.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

queue_size() { # ROOT: of a virtio-blk device with queue-size=128, before any guest has run
    local root=$1 pid

    rm -f "$root"/tmp/{image,socket}
    truncate -s 1M "$root/tmp/image"
    chroot "$root" qemu-system-x86_64 -S -nodefaults -display none -machine pc,accel=tcg -m 32 \
        -qmp unix:/tmp/socket,server=on,wait=off -drive file=/tmp/image,format=raw,if=none,id=d \
        -device virtio-blk-pci,id=v,drive=d,queue-size=128 >/dev/null 2>&1 &
    pid=$!
    await "$root/tmp/socket"
    python3 - "$root/tmp/socket" <<'END'
import json, socket, sys

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
lines = monitor.makefile("rw")
lines.readline()
for command, arguments in (("qmp_capabilities", {}),
                           ("x-query-virtio-queue-status",
                            {"path": "/machine/peripheral/v/virtio-backend", "queue": 0})):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    answer = json.loads(lines.readline())
print(answer["return"]["vring-num"])
END
    kill "$pid"
    wait "$pid" || true
}

bookworm=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
trixie=$(debian_root trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1)
expect '7.2, queue-size=128' "$(queue_size "$bookworm")" 128
expect '10.0.13, queue-size=128' "$(queue_size "$trixie")" 1024
finish
