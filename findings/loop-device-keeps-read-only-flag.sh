#!/bin/bash
# `blockdev --setro` on a loop device is thought to end with `losetup -d`, as the read-only state of `losetup -r`
# does. It belongs to the device: the next file that is attached there, by anybody, can only be read. losetup says
# nothing of it, and `losetup -f`, which gives out the lowest free device, gives out just this one. `blockdev
# --setrw` clears the flag, also of a device without a file.
#
# Seen with Debian 12's util-linux 2.38.1-5+deb12u3 on its user-mode-linux 6.1um4+b13 (Linux 6.1.176).
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"

root=$(debian_root bookworm user-mode-linux=6.1um4+b13 util-linux=2.38.1-5+deb12u3 mount=2.38.1-5+deb12u3 \
    kmod=30+20221128-1)
mount_devices "$root"
truncate -s 1M "$root"/tmp/{one,next}
cat >"$root/tmp/init" <<'END'
#!/bin/bash
# Line by line: the device that a file is attached to, whether that is read-only, what a write says.
export PATH=/usr/sbin:/usr/bin
attach() { # LOSETUP-ARGUMENT...
    device=$(losetup -f --show "$@" 2>&1)
    echo "$device $(blockdev --getro "$device") $(dd if=/dev/zero of="$device" count=1 conv=fsync status=none 2>&1 |
        sed 's/.*: //')"
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
insmod /usr/lib/uml/modules/*/kernel/drivers/block/loop.ko
{
    attach -r /tmp/one
    losetup -d "$device"
    attach /tmp/one
    blockdev --setro "$device"
    losetup -d "$device"
    attach /tmp/next
    losetup -d "$device"
    blockdev --setrw "$device"
    attach /tmp/next
} >/tmp/seen 2>&1
echo o >/proc/sysrq-trigger
sleep 60
END
chmod +x "$root/tmp/init"
chroot "$root" linux.uml mem=64M rootfstype=hostfs rootflags=/ rw init=/tmp/init con=null con0=null,fd:1 \
    </dev/null >"$root/tmp/console" 2>&1
expect 'with losetup -r' "$(sed -n 1p "$root/tmp/seen")" '/dev/loop0 1 Operation not permitted'
expect 'after losetup -r' "$(sed -n 2p "$root/tmp/seen")" '/dev/loop0 0 '
expect 'after blockdev --setro, another file' "$(sed -n 3p "$root/tmp/seen")" '/dev/loop0 1 Operation not permitted'
expect 'after blockdev --setrw' "$(sed -n 4p "$root/tmp/seen")" '/dev/loop0 0 '
finish
