# shellcheck shell=bash
# The files a lab host boots from, one set a suite: $LAB_DIR/image/SUITE-KEY/{xen,vmlinux,
# initrd.img,dom0.img,versions}. Two layers are cached, each keyed by what it is made from:
# root/ (the packages, by their checksums) and image/ (that and the files of this folder).

hash_of() { sha256sum | cut -c1-16; }

host_packages() {
    local missing

    missing=$(xargs dpkg-query -W -f '${db:Status-Status} ${Package}\n' <"$HERE/packages.txt" 2>&1 |
        awk '$1 != "installed" { print $NF }') || true
    [[ $missing ]] || return 0
    ((EUID == 0)) || die "packages are missing: $(xargs <"$HERE/packages.txt")"
    say 'installing packages on this machine'
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends \
        <"$HERE/packages.txt" >"$LAB_DIR/apt.log" 2>&1 || die "apt-get has failed, see $LAB_DIR/apt.log"
}

dom0_packages() { cat "$HERE/dom0/packages.txt" && tr ', ' '\n' <<<"${XMIG_LAB_EXTRA:-}"; }

root_key() { # SUITE
    local kernel

    kernel=$(apt_kernel "$1" linux-image-amd64)
    {
        cat "$HERE/apt.sh"
        # shellcheck disable=SC2046
        apt_resolve "$1" $(dom0_packages)
        apt_for "$1" apt-cache show "$kernel" | grep -E '^(Filename|SHA256):'
    } | hash_of
}

image_key() { # ROOT_KEY
    {
        echo "$1"
        find "$HERE"/{image.sh,guests.sh,dom0,guests} "$HERE"/../guest/{build,*.[ch]} -type f |
            LC_ALL=C sort | xargs cat
    } | hash_of
}

# The root file system, and beside it the kernel's package, unpacked but not installed: that
# would make an initramfs that nobody needs.
build_root() { # SUITE DESTINATION
    local suite=$1 to=$2 kernel

    kernel=$(apt_kernel "$suite" linux-image-amd64)
    mkdir -p "$to/kernel"
    apt_bootstrap "$suite" "$to/root" "$(dom0_packages | xargs | tr ' ' ,)"
    (cd "$to" && apt_for "$suite" apt-get -qq download "$kernel")
    dpkg-deb -x "$to"/linux-image-*.deb "$to/kernel"
    rm "$to"/linux-image-*.deb
    [[ -d $to/kernel/lib ]] || ln -s usr/lib "$to/kernel/lib"
    depmod -b "$to/kernel" "$(kernel_release "$to")"
}

kernel_release() { basename "$1"/kernel/boot/vmlinuz-* | sed 's/^vmlinuz-//'; }

# Paths of the modules and of those they need, in the order of loading.
module_paths() { # ROOT_DIR MODULE...
    local root=$1 module release
    shift
    release=$(kernel_release "$root")
    for module; do
        modprobe -d "$root/kernel" -S "$release" -C /dev/null --show-depends "$module" ||
            die "the kernel has no module $module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

install_module() { # MODULE TARGET
    case $1 in
    *.xz) xz -dc "$1" >"${2%.xz}" ;;
    *) install -m 644 "$1" "$2" ;;
    esac
}

# What of the root file system a host needs at run time, with our own files over it.
build_dom0_tree() { # ROOT_DIR TREE
    local root=$1 tree=$2 release path applet file

    release=$(kernel_release "$root")
    mkdir -p "$tree/lab" # where guests have their disks
    tar -C "$root/root" -cf - --exclude='./boot/*' --exclude='./var/cache/*' \
        --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/zoneinfo/*' --exclude='./dev/*' . |
        tar -C "$tree" -xf -

    # shellcheck disable=SC2046
    module_paths "$root" $(cat "$HERE/dom0/modules.txt") | while read -r path; do
        file=$tree/usr/lib/modules/$release/${path#*"/modules/$release/"}
        mkdir -p "$(dirname "$file")" && install_module "$path" "$file"
    done
    cp "$root/kernel/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} \
        "$tree/usr/lib/modules/$release/"
    depmod -b "$tree" "$release"

    cp -r --no-preserve=mode "$HERE/dom0/files/." "$tree"
    install -m 755 "$HERE/dom0/init" "$tree/sbin/lab-init"
    install -m 755 "$HERE"/dom0/bin/* "$tree/usr/local/bin/"
    for file in "$tree"/usr/lib/xen-*/bin/*; do # off the path only because versions may coexist
        chroot "$tree" sh -c "command -v ${file##*/}" >/dev/null ||
            ln -s "${file#"$tree"}" "$tree/usr/local/bin/"
    done
    (cd "$tree" && printf '/%s\n' usr/lib/xen-*/lib/python >usr/lib/python3/dist-packages/xen.pth)
    cp /bin/busybox "$tree/bin/busybox"
    for applet in $(/bin/busybox --list); do # what the small system lacks
        [[ -e $tree/usr/bin/$applet || -e $tree/usr/sbin/$applet ]] || ln -s busybox "$tree/bin/$applet"
    done

    rm -f "$tree"/etc/ssh/ssh_host_* "$tree/etc/machine-id" # the latter is made at the first boot
    ssh-keygen -q -t ed25519 -N '' -f "$tree/etc/ssh/ssh_host_ed25519_key"
    install -d -m 700 "$tree/root/.ssh"
    install -m 600 "$LAB_DIR/key/id" "$tree/root/.ssh/id_ed25519"
    install -m 600 "$LAB_DIR/key/id.pub" "$tree/root/.ssh/authorized_keys"
    printf '%s\n' 'Host *' ' StrictHostKeyChecking no' ' UserKnownHostsFile /dev/null' \
        ' LogLevel ERROR' ' KexAlgorithms curve25519-sha256' >"$tree/root/.ssh/config"
}

build_initrd() { # ROOT_DIR WORK IMAGE
    local root=$1 tree=$2/initramfs n=10 path

    mkdir -p "$tree"/{bin,dev,modules,proc,root}
    cp /bin/busybox "$tree/bin/"
    ln -s busybox "$tree/bin/sh"
    install -m 755 "$HERE/dom0/initramfs-init" "$tree/init"
    for path in $(module_paths "$root" crc32c_generic virtio_pci virtio_blk ext4); do
        install_module "$path" "$tree/modules/$((++n))-${path##*/}"
    done
    (cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$3"
}

# Xen unpacks a compressed kernel slowly under emulation: gives it the bare ELF file.
unpack_kernel() { # BZIMAGE ELF
    python3 - "$@" <<'END'
import lzma, struct, subprocess, sys

data = open(sys.argv[1], "rb").read()
offset, length = struct.unpack_from("<II", data, 0x248)
payload = data[offset + (data[0x1F1] + 1) * 512 :][:length]
if payload.startswith(b"\x28\xb5\x2f\xfd"):  # zstd; the last 4 bytes are the length
    elf = subprocess.run(["zstd", "-dcq"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
else:
    elf = lzma.LZMADecompressor().decompress(payload)
if not elf.startswith(b"\x7fELF"):
    sys.exit("cannot unpack the kernel " + sys.argv[1])
open(sys.argv[2], "wb").write(elf)
END
}

build_image() { # ROOT_DIR DESTINATION
    local root=$1 to=$2 work=$2/work

    mkdir -p "$work"
    build_dom0_tree "$root" "$work/tree"
    build_guests "$work" "$work/tree/usr/local/share/lab"
    truncate -s 8G "$to/dom0.img"
    mke2fs -q -F -t ext4 -J size=8 -O ^metadata_csum -m 0 -N 65536 -d "$work/tree" "$to/dom0.img"
    build_initrd "$root" "$work" "$to/initrd.img"
    zcat "$root"/root/boot/xen-[0-9]*.gz >"$to/xen"
    unpack_kernel "$root"/kernel/boot/vmlinuz-* "$to/vmlinux"
    chroot "$root/root" dpkg-query -W -f '${Package} ${Version}\n' xen-system-amd64 \
        qemu-system-xen >"$to/versions"
    rm -rf "$work"
}

# Makes DESTINATION by running `BUILDER ARGUMENT... PART` and naming PART so in the end; at
# once, if it is there. Others of that name but another key go.
cached() { # DESTINATION BUILDER ARGUMENT...
    local to=$1 old
    shift
    [[ ! -d $to ]] || return 0
    rm -rf "$to.part" && mkdir -p "$to.part"
    ("$@" "$to.part") >"$to.log" 2>&1 & # not `( ) ||`, which would switch errexit off
    wait $! || die "cannot build it, see $to.log"
    mv "$to.part" "$to"
    for old in "${to%-*}"-*; do # a key comes next, not the rest of a longer name, as trixie-backports
        [[ $old == "$to"* || ! ${old#"${to%-*}"-} =~ ^[0-9a-f]{16} ]] || in_use "$old" || rm -rf "$old"
    done
}

# Whether a host of any lab has its disk from there.
in_use() { grep -qsxF "IMAGE=$1" "$LAB_DIR"/labs/*/h?/host; }

# One throw-away key opens all hosts of all labs; images with another one are of no use.
ssh_key() {
    [[ ! -f $LAB_DIR/key/id ]] || return 0
    rm -rf "$LAB_DIR/image"
    mkdir -p "$LAB_DIR"/{image,key}
    ssh-keygen -q -t ed25519 -N '' -C xmig-lab -f "$LAB_DIR/key/id"
}

show_key() { # SUITE
    apt_update "$1"
    echo "$1-$(image_key "$(root_key "$1")")"
}

build() { # SUITE
    local suite=$1 start=$EPOCHREALTIME key

    mkdir -p "$LAB_DIR"/{root,image}
    exec 8>"$LAB_DIR/$suite.lock"
    flock 8
    host_packages
    ssh_key
    "$HERE/../guest/build" "$LAB_DIR/guest"
    apt_update "$suite"
    key=$(root_key "$suite")
    cached "$LAB_DIR/root/$suite-$key" build_root "$suite"
    cached "$LAB_DIR/image/$suite-$(image_key "$key")" build_image "$LAB_DIR/root/$suite-$key"
    ln -sfn "$suite-$(image_key "$key")" "$LAB_DIR/image/$suite"
    exec 8>&-
    say "$suite is built ($(since "$start") s): $(xargs <"$LAB_DIR/image/$suite/versions")"
}
