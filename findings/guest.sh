# shellcheck shell=bash
# A guest with the kernel of a pinned Debian package, for what a kernel does. With packages.sh.

# guest_root PACKAGE=VERSION...: prints the folder of a new Debian 12 with these, and what run_guest needs.
guest_root() {
    debian_root bookworm busybox-static=1:1.35.0-4+deb12u1+b1 cpio=2.13+dfsg-7.1 kmod=30+20221128-1 \
        qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 "$@"
}

# make_guest ROOT KERNEL=VERSION MODULE,... PROGRAM,...: a guest with this kernel, these modules of its package
# and these programs of ROOT; busybox has the others.
make_guest() {
    chroot "$1" bash -s "$2" "${3//,/ }" "${4//,/ }" <<'END'
set -euo pipefail
kernel=$1 modules=$2 programs=$3
mkdir -p /tmp/kernel /tmp/guest/{bin,dev,etc,proc,run/lock,sys,tmp}
cd /tmp
apt-get -qq update
apt-get -qq -o APT::Sandbox::User=root download "$kernel"
dpkg -x "${kernel%=*}"_*.deb kernel
release=${kernel#linux-image-}
release=${release%=*}
depmod -b kernel "$release"
for module in $modules; do
    modprobe -d kernel -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" guest/
    echo "insmod /${path##*/}"
done >guest/load
for program in $(which $programs busybox); do
    echo "$program"
    ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true
done | sort -u | while read -r path; do cp -L --parents "$path" guest/; done
cat >guest/init <<'INIT'
#!/usr/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DM_DISABLE_UDEV=1
/usr/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
. /load
sh /script >/dev/ttyS1 2>&1
poweroff -f
INIT
chmod +x guest/init
END
}

# run_guest ROOT SCRIPT: prints what the script, of busybox's shell, says in the guest. Without an end it is
# stopped after 200 s.
run_guest() {
    echo "$2" >"$1/tmp/guest/script"
    chroot "$1" bash -s <<'END'
set -euo pipefail
cd /tmp/guest
find . | cpio --quiet -R 0:0 -o -H newc >../initrd
timeout --foreground 200 qemu-system-x86_64 -nodefaults -display none -no-reboot -machine pc,accel=tcg -cpu max \
    -m 512 -kernel /tmp/kernel/boot/vmlinuz-* -initrd ../initrd -append 'console=ttyS0 quiet panic=-1' \
    -serial file:/tmp/console -serial file:/tmp/seen </dev/null
tr -d '\r' </tmp/seen
END
}
