# shellcheck shell=bash
# Compiles the guests and puts them where dom0 looks for them, as images of a disk's start.

bare_program() { # SOURCE OUTPUT
    gcc -m32 -march=i686 -std=gnu17 -O2 -Wall -Wextra -Wno-array-bounds -ffreestanding -fno-builtin \
        -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -mno-sse -mno-mmx \
        -fno-asynchronous-unwind-tables -nostdlib -static \
        -Wl,-melf_i386,-T,"$HERE/guests/bare/bare.ld",--build-id=none,--no-warn-rwx-segments \
        -Wl,-z,noexecstack -o "$2.elf" "$HERE"/guests/bare/{boot.S,bare.c} "$1"
    objcopy -O binary "$2.elf" "$2"
}

# The initrd of tests/guest, with our own process 1 appended as a second archive.
linux_initrd() { # WORK
    mkdir -p "$1/extra/sbin"
    gcc -std=gnu17 -O2 -Wall -Wextra -static -s -o "$1/extra/lab-init" "$HERE/guests/linux/init.c"
    ln -s ../lab-init "$1/extra/sbin/poweroff"
    ln -s ../lab-init "$1/extra/sbin/reboot"
    cat "$LAB_DIR/guest/initrd"
    (cd "$1/extra" && find . | cpio -o -H newc -R 0:0 --quiet)
}

build_guests() { # WORK DESTINATION
    mkdir -p "$2"
    bare_program "$HERE/guests/tick/tick.c" "$1/tick"
    bare_program "$HERE/guests/linux/loader.c" "$1/loader"
    linux_initrd "$1" >"$1/linux-initrd"
    "$HERE/guests/disk.py" "$2/tick.img" "$1/tick"
    "$HERE/guests/disk.py" "$2/linux.img" "$1/loader" --kernel "$LAB_DIR/guest/vmlinuz" \
        --initrd "$1/linux-initrd"
    cp "$LAB_DIR/guest/vmlinuz" "$2/linux-kernel" # for PVH guests, which have no disk to boot from
    cp "$1/linux-initrd" "$2/linux-initrd"
    gcc -O2 -static -s -o "$2/../../bin/blkverify" "$HERE/../guest/verify.c"
}
