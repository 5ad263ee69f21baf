#!/bin/bash
# An NBD client that asks to write zeroes, and permits a hole (as every mirror job does), finds a
# sparse raw image still sparse afterwards with QEMU 7.2, and fully allocated with QEMU 10.0,
# unless the export's image was opened with discard=unmap. Both are correct by the protocol; a thin
# image becomes thick by an upgrade of QEMU alone.
#
# Seen with Debian 12's qemu-utils 1:7.2+dfsg-7+deb12u18+b3 and Debian 13's 1:10.0.13+ds-0+deb13u1:
#     7.2   discard=ignore: 0 KiB of 65536     discard=unmap: 0 KiB
#     10.0  discard=ignore: 65536 KiB          discard=unmap: 0 KiB
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

allocated() { # ROOT DISCARD: KiB of a sparse image of 64 MiB, after zeroes were written to all of it
    local root=$1 server

    rm -f "$root"/tmp/{image,socket}
    truncate -s 64M "$root/tmp/image"
    chroot "$root" qemu-nbd -f raw -k /tmp/socket --discard="$2" -x disk /tmp/image &
    server=$!
    await "$root/tmp/socket"
    chroot "$root" qemu-io -f raw -c 'write -z -u 0 32M' -c 'write -z -u 32M 32M' \
        'nbd+unix:///disk?socket=/tmp/socket' >&2
    wait "$server" # it ends with its client
    echo $(($(stat -c '%b * %B / 1024' "$root/tmp/image")))
}

bookworm=$(debian_root bookworm qemu-utils=1:7.2+dfsg-7+deb12u18+b3)
trixie=$(debian_root trixie qemu-utils=1:10.0.13+ds-0+deb13u1)
expect '7.2, discard=ignore, KiB' "$(allocated "$bookworm" ignore)" 0
expect '7.2, discard=unmap, KiB' "$(allocated "$bookworm" unmap)" 0
expect '10.0, discard=ignore, KiB' "$(allocated "$trixie" ignore)" 65536
expect '10.0, discard=unmap, KiB' "$(allocated "$trixie" unmap)" 0
finish
