#!/bin/bash
# While a mirror job runs, a discard by the guest succeeds and frees nothing, neither at the source
# nor at the mirror's target: the job's filter node does not pass on that holes are wanted. What a
# guest trims during a live migration of its disks stays allocated on both sides, and a guest
# that trims once a week does not do it again before the next.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and Debian 13's
# 1:10.0.13+ds-0+deb13u1, an image of 64 MiB of data, 8 MiB discarded at a time; KiB allocated:
#     before any job 57344; during the mirror still 57344; after the job's end 49152
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

discards() { # ROOT: KiB after a discard before, during and after a mirror job
    local root=$1 target machine

    rm -f "$root"/tmp/{image,copy,nbd,qmp}
    head -c 64M /dev/urandom >"$root/tmp/image"
    truncate -s 64M "$root/tmp/copy"
    chroot "$root" qemu-nbd -f raw -k /tmp/nbd -x disk -t --discard=unmap /tmp/copy &
    target=$!
    chroot "$root" qemu-system-x86_64 -S -nodefaults -display none -machine pc,accel=tcg -m 32 \
        -qmp unix:/tmp/qmp,server=on,wait=off \
        -drive file=/tmp/image,format=raw,if=none,id=d,discard=unmap \
        -device virtio-blk-pci,drive=d >/dev/null 2>&1 &
    machine=$!
    await "$root/tmp/nbd"
    await "$root/tmp/qmp"
    python3 - "$root/tmp" <<'END'
import json, os, socket, sys

folder = sys.argv[1]
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(folder + "/qmp")
lines = monitor.makefile("rw")
lines.readline()

def heard(key, wanted):
    while True:
        line = json.loads(lines.readline())
        if "error" in line:
            sys.exit(str(line))
        if key in line and (wanted is None or line[key] == wanted):
            return line

def ask(command, **arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    heard("return", None)

def discard(offset):
    ask("human-monitor-command", **{"command-line": f"qemu-io d \"discard {offset}M 8M\""})
    return os.stat(folder + "/image").st_blocks // 2

ask("qmp_capabilities")
seen = [discard(0)]
ask("blockdev-add", **{"driver": "nbd", "node-name": "t", "export": "disk",
                       "server": {"type": "unix", "path": "/tmp/nbd"}})
ask("blockdev-mirror", **{"job-id": "m", "device": "d", "target": "t", "sync": "full"})
heard("event", "BLOCK_JOB_READY")
seen.append(discard(16))
ask("block-job-cancel", device="m")
heard("event", "BLOCK_JOB_COMPLETED")
seen.append(discard(32))
print(*seen)
END
    kill "$machine" "$target"
    wait "$machine" "$target" || true
}

bookworm=$(debian_root bookworm qemu-utils=1:7.2+dfsg-7+deb12u18+b3 qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
trixie=$(debian_root trixie qemu-utils=1:10.0.13+ds-0+deb13u1 qemu-system-x86=1:10.0.13+ds-0+deb13u1)
expect '7.2, KiB before, during, after' "$(discards "$bookworm")" '57344 57344 49152'
expect '10.0, KiB before, during, after' "$(discards "$trixie")" '57344 57344 49152'
finish
