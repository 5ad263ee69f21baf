#!/bin/bash
# LVM looks at the table of an active volume: where somebody has put another one under its users (era to note
# writes, delay), `lvs` warns that it "does not match expected type". Commands that change the volume are thought to
# refuse, or to leave the table alone where they need no other. They put LVM's own one back, without a word, and
# succeed: `lvresize`, `lvchange --refresh`, `lvchange -p`, and so does `lvrename`, of which nobody would think
# that it touches the data's way. What the other table was for has ended then, and nobody has been told.
# `lvchange --addtag` and `-ay`, and `lvcreate` of another volume, leave it.
#
# Seen with Debian 12's lvm2 2.03.16-2 on its linux-image-6.1.0-50-cloud-amd64 6.1.176-1, with delay over the volume's
# own blocks.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"
# shellcheck source=guest.sh
source "$(dirname "$0")/guest.sh"

root=$(guest_root dmsetup=2:1.02.185-2 lvm2=2.03.16-2)
make_guest "$root" linux-image-6.1.0-50-cloud-amd64=6.1.176-1 loop,dm-delay dmsetup,lvm
mkdir "$root/tmp/guest/etc/lvm"
cat >"$root/tmp/guest/etc/lvm/lvm.conf" <<'END'
activation { udev_sync=0 udev_rules=0 monitoring=0 }
devices { obtain_device_list_from_udev=0 }
END
# shellcheck disable=SC2016 # the guest expands it
mapfile -t said < <(run_guest "$root" '
try() { # LVM-COMMAND...: its status, how often it mentions a type, what type the table is then
    dmsetup load g-v --table "0 $(blockdev --getsz /dev/mapper/g-v) delay 7:0 2048 0"
    dmsetup resume g-v
    lvm "$@" >/tmp/said 2>&1
    echo "$? $(grep -c type /tmp/said) $(dmsetup table "g-${name:-v}" | cut -d" " -f3 | sort -u)"
}

truncate -s 64M /tmp/volume
losetup /dev/loop0 /tmp/volume
lvm vgcreate -qq g /dev/loop0
lvm lvcreate -qq -y -Zn -Wn -n v -l 4 g
try lvs
try lvchange --addtag a g/v
try lvchange -ay g/v
try lvcreate -Zn -Wn -n w -l 1 g
name=u try lvrename g v u
lvm lvrename -qq g u v
try lvchange --refresh g/v
try lvchange -p r g/v
lvm lvchange -qq -p rw g/v
try lvresize -l +1 g/v
' | tail -n 8)
expect 'lvs: status, warnings, table' "${said[0]}" '0 1 delay'
expect 'lvchange --addtag' "${said[1]}" '0 0 delay'
expect 'lvchange -ay' "${said[2]}" '0 0 delay'
expect 'lvcreate of another' "${said[3]}" '0 0 delay'
expect 'lvrename' "${said[4]}" '0 0 linear'
expect 'lvchange --refresh' "${said[5]}" '0 0 linear'
expect 'lvchange -p r' "${said[6]}" '0 0 linear'
expect 'lvresize' "${said[7]}" '0 0 linear'
finish
