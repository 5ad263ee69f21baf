#!/bin/bash
# The files of QEMU's -readconfig look like git's or systemd's, where a value needs no quotation marks: guest = web. QEMU
# takes such a line without a word, and the value is empty: the VM has no name. So is a line that is one word only. Only
# where an empty value makes no sense, as in server = on, the start fails, and then because of "on". Whoever reads such a
# file to learn what a VM consists of must misread it in the same way.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

name_of() { # GUEST: the VM's name, by a file that says guest = GUEST
    local pid

    rm -f "$root/tmp/socket"
    printf '[name]\n  guest = %s\n' "$1" >"$root/tmp/config"
    chroot "$root" qemu-system-x86_64 -S -nodefaults -display none -machine none,accel=tcg \
        -qmp unix:/tmp/socket,server=on,wait=off -readconfig /tmp/config >/dev/null 2>&1 &
    pid=$!
    await "$root/tmp/socket"
    python3 - "$root/tmp/socket" <<'END'
import json, socket, sys

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
lines = monitor.makefile("rw")
lines.readline()
for command in ("qmp_capabilities", "query-name"):
    lines.write(json.dumps({"execute": command}) + "\n")
    lines.flush()
    answer = json.loads(lines.readline())
print(repr(answer["return"].get("name")))
END
    kill "$pid"
    wait "$pid" || true
}

root=$(debian_root bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3)
expect 'guest = "web"' "$(name_of '"web"')" "'web'"
expect 'guest = web' "$(name_of web)" "''"
finish
