#!/bin/bash
# As a mirror job of a raw image ends (cancelled, failed or done), for a moment nobody in QEMU may write to
# the image. QEMU then opens it for reading only, and for writing again: each time by the name it was
# started with, though it has the file open. If a symbolic link has come to lead elsewhere meanwhile, or another
# file has the name, the running guest goes on with that one, and nothing tells of it. Another
# user of the node that may write as long as the job ends, a copy-on-read node above it for instance, keeps the
# file open. Qcow2 images stay open.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
mount_devices "$root"
mkdir "$root/tmp/one" "$root/tmp/other"
truncate -s 1M "$root"/tmp/{one/image,other/image,copy}
ln -s one "$root/tmp/link"
chroot "$root" qemu-system-x86_64 -nodefaults -display none -machine pc,accel=tcg -m 32 \
    -qmp unix:/tmp/qmp,server=on,wait=off -blockdev driver=file,filename=/tmp/copy,node-name=copy \
    -drive file=/tmp/link/image,format=raw,if=none,id=d,node-name=n -device virtio-blk-pci,drive=d >/dev/null 2>&1 &
await "$root/tmp/qmp"
seen=$(python3 - "$root/tmp" $! <<'END'
import json, os, socket, sys, time

folder, pid = sys.argv[1:]
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(folder + "/qmp")
lines = monitor.makefile("rw")
lines.readline()

def ask(command, **arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        line = json.loads(lines.readline())
        if "error" in line:
            sys.exit(line["error"]["desc"])
        if "return" in line:
            return line["return"]

def opened():
    fds = f"/proc/{pid}/fd"
    links = [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]
    return " ".join(link[-len("other/image"):].lstrip("/").removeprefix("p/") for link in links if link.endswith("/image"))

def lead_to(where):
    os.unlink(folder + "/link")
    os.symlink(where, folder + "/link")

def mirror_and_end(keep):
    lead_to("one")
    ask("blockdev-mirror", **{"job-id": "j", "device": "d", "target": "copy", "sync": "full"})
    if keep:
        ask("blockdev-add", **{"driver": "copy-on-read", "node-name": "keep", "file": "n"})
    lead_to("other")
    ask("block-job-cancel", device="j", force=True)
    while ask("query-block-jobs"):
        time.sleep(0.1)
    if keep:
        ask("blockdev-del", **{"node-name": "keep"})
    return opened()

ask("qmp_capabilities")
print(opened())
print(mirror_and_end(keep=True))
print(mirror_and_end(keep=False))
END
)
expect 'open at the start' "$(sed -n 1p <<<"$seen")" one/image
expect 'open after a mirror with a writer beside it' "$(sed -n 2p <<<"$seen")" one/image
expect 'open after a mirror' "$(sed -n 3p <<<"$seen")" other/image
finish
