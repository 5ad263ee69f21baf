#!/bin/bash
# device-mapper's target era is made for copying what has changed: it notes each block that was written, and
# `era_invalidate --written-since N` lists the blocks. A discard changes its whole range, and era passes it on, but
# notes the first block only, however long it is. Who copies what is listed keeps data where the guest reads zeroes.
# Writes are noted whole, also those of zeroes.
#
# Seen with Debian 12's linux-image-6.1.0-50-cloud-amd64 6.1.176-1 and thin-provisioning-tools 0.9.0-2. 8 MiB each, in
# blocks of 64 KiB: of 128 blocks discarded 1 is noted and 128 read as zeroes; of 128 written 128 are noted.
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"
# shellcheck source=guest.sh
source "$(dirname "$0")/guest.sh"

root=$(guest_root dmsetup=2:1.02.185-2 util-linux=2.38.1-5+deb12u3 thin-provisioning-tools=0.9.0-2)
make_guest "$root" linux-image-6.1.0-50-cloud-amd64=6.1.176-1 loop,dm-era dmsetup,blkdiscard,era_invalidate
# shellcheck disable=SC2016 # the guest expands it
mapfile -t said < <(run_guest "$root" '
noted() { # BLOCKS: while the device is away, which commits the notes
    dmsetup remove v
    era_invalidate --written-since 1 /dev/loop1 | tr -d "\n "
    echo
    losetup -d /dev/loop1
}

new() {
    dd if=/dev/zero of=/tmp/notes bs=1M count=1 2>/dev/null
    losetup /dev/loop1 /tmp/notes
    dmsetup create v --table "0 131072 era /dev/loop1 /dev/loop0 128"
}

tr "\0" x </dev/zero | head -c 67108864 >/tmp/origin
losetup /dev/loop0 /tmp/origin
new
/usr/sbin/blkdiscard -o 8M -l 8M /dev/mapper/v
noted
tr -d x </tmp/origin | wc -c
new
dd if=/dev/zero of=/dev/mapper/v bs=8M seek=1 count=1 oflag=direct 2>/dev/null
noted
')
expect 'noted of a discard of blocks 128 to 255' "${said[0]}" '<blocks><blockblock="128"/></blocks>'
expect 'bytes that it made zeroes' "${said[1]}" 8388608
expect 'noted of a write there' "${said[2]}" '<blocks><rangebegin="128"end="256"/></blocks>'
finish
