#!/bin/bash
# `dmsetup resume` of a running device with a second table exchanges the tables. When that fails, the device is
# thought to go on with the table that it had, as it does when `dmsetup load` fails. It does not: the first table is
# gone, the second is live, and the device stays suspended, so that whoever writes to it waits. Loading the first
# table and resuming again ends that, and nothing is lost. A target may fail only then: era formats its metadata at
# load, where too little room is not seen, and makes room for as many blocks as the device has at resume.
#
# Seen with Debian 12's linux-image-6.1.0-50-cloud-amd64 6.1.176-1 and dmsetup 2:1.02.185-2; 64 GiB, 1 MiB of metadata:
#     load 0, resume 1 (No space left on device), SUSPENDED with era; a write waits until the first table is back
set -euo pipefail
# shellcheck source=packages.sh
source "$(dirname "$0")/packages.sh"
# shellcheck source=guest.sh
source "$(dirname "$0")/guest.sh"

root=$(guest_root dmsetup=2:1.02.185-2)
make_guest "$root" linux-image-6.1.0-50-cloud-amd64=6.1.176-1 loop,dm-era dmsetup
# shellcheck disable=SC2016 # the guest expands it
mapfile -t said < <(run_guest "$root" '
size=$((64 << 21))
truncate -s 64G /tmp/origin
truncate -s 1M /tmp/notes
losetup /dev/loop0 /tmp/origin
losetup /dev/loop1 /tmp/notes
dmsetup create v --table "0 $size linear /dev/loop0 0"
dmsetup load v --table "0 $size era /dev/loop1 /dev/loop0 128"
echo "load $?"
dmsetup resume v 2>&1 | head -n 1
echo "$(dmsetup info v | sed -n "s/State: *//p") $(dmsetup table v)"
dd if=/dev/zero of=/dev/mapper/v bs=4k count=1 oflag=direct 2>/dev/null &
sleep 2
kill -0 $! && echo waits
dmsetup load v --table "0 $size linear /dev/loop0 0"
dmsetup resume v
wait $!
echo "written $?, $(dmsetup info v | sed -n "s/State: *//p") $(dmsetup table v)"
')
expect 'load of era' "${said[0]}" 'load 0'
expect 'resume' "${said[1]}" 'device-mapper: resume ioctl on v  failed: No space left on device'
expect 'the device' "${said[2]}" 'SUSPENDED 0 134217728 era 7:1 7:0 128'
expect 'a write' "${said[3]}" 'waits'
expect 'with the first table again' "${said[4]}" 'written 0, ACTIVE 0 134217728 linear 7:0 0'
finish
