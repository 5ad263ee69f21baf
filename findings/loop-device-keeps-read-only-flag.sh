#!/bin/bash
# `blockdev --setro` on a loop device is thought to end with `losetup -d`, as the read-only state of `losetup -r`
# does. It belongs to the device: the next file that is attached there, by anybody, can only be read. losetup says
# nothing of it, and `losetup -f`, which gives out the lowest free device, gives out just this one. `blockdev
# --setrw` clears the flag, also of a device without a file.
#
# Seen with Debian 12's util-linux 2.38.1-5+deb12u3 on its linux-image-6.1.0-50-cloud-amd64 6.1.176-1.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"
# shellcheck source=guest.sh
source "$(dirname "$0")/guest.sh"

root=$(guest_root util-linux=2.38.1-5+deb12u3 mount=2.38.1-5+deb12u3)
make_guest "$root" linux-image-6.1.0-50-cloud-amd64=6.1.176-1 loop losetup,blockdev
# shellcheck disable=SC2016 # the guest expands it
mapfile -t said < <(run_guest "$root" '
losetup=/usr/sbin/losetup
blockdev=/usr/sbin/blockdev
# The device that a file is attached to, whether that is read-only, what a write says.
attach() { # LOSETUP-ARGUMENT...
    device=$($losetup -f --show "$@" 2>&1)
    echo "$device $($blockdev --getro "$device") $(dd if=/dev/zero of="$device" count=1 conv=fsync status=none 2>&1 |
        sed "s/.*: //")"
}

truncate -s 1M /tmp/one /tmp/next
attach -r /tmp/one
$losetup -d "$device"
attach /tmp/one
$blockdev --setro "$device"
$losetup -d "$device"
attach /tmp/next
$losetup -d "$device"
$blockdev --setrw "$device"
attach /tmp/next
')
expect 'with losetup -r' "${said[0]}" '/dev/loop0 1 Operation not permitted'
expect 'after losetup -r' "${said[1]}" '/dev/loop0 0 '
expect 'after blockdev --setro, another file' "${said[2]}" '/dev/loop0 1 Operation not permitted'
expect 'after blockdev --setrw' "${said[3]}" '/dev/loop0 0 '
finish
