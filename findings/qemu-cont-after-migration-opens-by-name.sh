#!/bin/bash
# After a live migration has completed, the source's QEMU still runs, paused, with its images open. Told
# to go on (as after a target that failed), it does not use what it has open, but opens each image
# again by the name it was started with: renamed meanwhile, it does not start, and a file that has come to
# bear the name would be its disk. Who renames a moved VM's image has to give the name back
# before `cont`; who leaves the name to somebody else gives them the VM's disk.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3: with the name there `cont` lets the guest
# run; with the image renamed it says "Could not open '/tmp/image': No such file or directory" and the
# guest stays in 'postmigrate', although a running guest does not mind a rename at all.
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
seen=$(python3 - "$root/tmp" <<'END'
import json, os, socket, sys, time

folder = sys.argv[1]
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
            return line["error"]["desc"]
        if "return" in line:
            return line["return"]

def migrate():
    ask("migrate", uri="exec:cat >/dev/null")
    while ask("query-migrate")["status"] != "completed":
        time.sleep(0.1)

def after_cont():
    return ask("cont") or ask("query-status")["status"]

ask("qmp_capabilities")
migrate()
print(after_cont())
os.rename(folder + "/image", folder + "/elsewhere")
ask("stop")
print(after_cont())
os.rename(folder + "/elsewhere", folder + "/image")
migrate()
os.rename(folder + "/image", folder + "/elsewhere")
print(after_cont())
END
)
expect 'cont after a migration' "$(sed -n 1p <<<"$seen")" running
expect 'cont after stop, renamed' "$(sed -n 2p <<<"$seen")" running
expect 'cont after a migration, renamed' "$(sed -n 3p <<<"$seen")" \
    "Could not open '/tmp/image': No such file or directory"
finish
