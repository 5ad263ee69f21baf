#!/bin/bash
# blockdev-add of an NBD node, with which a live migration of disks begins, waits for the server's answer in QEMU's
# main loop, and holds its global lock meanwhile: until then no monitor answers, and a guest that touches any device
# stands still, although the new node has nothing to do with it yet. One would expect QEMU to connect in the
# background. This pause is in no downtime that QEMU reports, and lasts as long as the server, or what starts it,
# takes.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3. The server, nbdkit 1.32.5-1, opens its disk in 5 s;
# a guest that writes to a port all the time writes nothing meanwhile.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 nbdkit=1.32.5-1)
mount_devices "$root"
# A firmware that begins 16 bytes before its end: mov dx, 0xe9; out dx, al; mov ecx, 10000; loop; jmp to the out
{
    head -c 65520 /dev/zero
    printf '\272\351\000\356\146\271\020\047\000\000\147\342\375\353\364\000'
} >"$root/tmp/firmware"
chroot "$root" nbdkit -f -U /tmp/nbd eval open='touch /tmp/opened; sleep 5' get_size='echo 1M' pread='exit 1' &
await "$root/tmp/nbd"
chroot "$root" qemu-system-x86_64 -nodefaults -display none -machine pc,accel=tcg -m 32 -bios /tmp/firmware \
    -qmp unix:/tmp/qmp,server=on,wait=off -qmp unix:/tmp/other,server=on,wait=off \
    -chardev file,id=written,path=/tmp/written -device isa-debugcon,iobase=0xe9,chardev=written >/dev/null 2>&1 &
await "$root/tmp/other"
seen=$(python3 - "$root/tmp" <<'END'
import json, os, socket, sys, time

folder = sys.argv[1]

class Monitor:
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{folder}/{name}")
        self.lines = self.socket.makefile("rw")
        self.lines.readline()
        self.ask("qmp_capabilities")
        self.answer()

    def ask(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()

    def answer(self):
        while "return" not in (line := json.loads(self.lines.readline())):
            if "error" in line:
                sys.exit(str(line))

def writes():
    """Does the guest write within a second?"""
    before = os.stat(folder + "/written").st_size
    time.sleep(1)
    return os.stat(folder + "/written").st_size > before

one, other = Monitor("qmp"), Monitor("other")
print("writes" if writes() else "stands still")
one.ask("blockdev-add", **{"driver": "nbd", "node-name": "n", "read-only": True,
                           "server": {"type": "unix", "path": "/tmp/nbd"}})
while not os.path.exists(folder + "/opened"):
    time.sleep(0.1)
asked = time.monotonic()
other.ask("query-status")
print("writes" if writes() else "stands still")
other.answer()
print("no answer" if time.monotonic() - asked > 2 else "an answer", "for 2 s")
one.answer()
print("writes" if writes() else "stands still")
END
)
expect 'before, the guest' "$(sed -n 1p <<<"$seen")" writes
expect 'meanwhile, the guest' "$(sed -n 2p <<<"$seen")" 'stands still'
expect 'meanwhile, the other monitor' "$(sed -n 3p <<<"$seen")" 'no answer for 2 s'
expect 'after it, the guest' "$(sed -n 4p <<<"$seen")" writes
finish
