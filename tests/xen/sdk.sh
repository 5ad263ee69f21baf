# shellcheck shell=bash
# A system of another suite to compile in: an xmig for Xen 4.20 needs 4.20's headers.

build_sdk_root() { # SUITE DESTINATION
    apt_bootstrap "$1" "$2/root" "$(xargs <"$HERE/sdk/packages.txt" | tr ' ' ,)"
    mkdir -p "$2"/root/{src,out}
}

# Prints the root of the suite's system, made if need be.
sdk_root() { # SUITE
    local key

    ((EUID == 0)) || die 'only root can make and enter another system'
    exec 9>"$LAB_DIR/sdk-$1.lock"
    flock 9
    host_packages
    apt_update "$1"
    key=$({ cat "$HERE/sdk.sh" && xargs <"$HERE/sdk/packages.txt"; } | hash_of)
    mkdir -p "$LAB_DIR/sdk"
    cached "$LAB_DIR/sdk/$1-$key" build_sdk_root "$1"
    exec 9>&-
    echo "$LAB_DIR/sdk/$1-$key/root"
}

# Runs a command there, with OUT as /out and SOURCE, read-only, as /src.
in_sdk() { # ROOT SOURCE OUT COMMAND...
    unshare --mount --propagation private bash -euc '
        root=$1 source=$2 out=$3
        shift 3
        mount --bind "$source" "$root/src"
        mount -o remount,bind,ro "$root/src"
        mount --bind "$out" "$root/out"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/out LC_ALL=C.UTF-8 "$@"
    ' sdk "$@"
}

sdk() { # SUITE COMMAND...
    local root suite=$1
    shift
    root=$(sdk_root "$suite")
    in_sdk "$root" "$PWD" "$PWD" sh -c 'cd /out && exec "$@"' sh "$@"
}

build_xmig() { # SUITE SOURCE PROGRAM [CMAKE_ARGUMENT...]
    local suite=$1 source program=$3 start=$EPOCHREALTIME root out
    source=$(readlink -e "$2") || die "there is no $2"
    shift 3
    root=$(sdk_root "$suite")
    out=$LAB_DIR/build/$suite-$(hash_of <<<"$source$*")
    mkdir -p "$out"
    in_sdk "$root" "$source" "$out" cmake -G Ninja -S /src -B /out -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@"
    in_sdk "$root" "$source" "$out" ninja -C /out xmig hypervisor-xen.so track
    install -D -m 755 "$out/xmig" "$program"
    install -m 755 "$out/hypervisor-xen.so" "$out/track" "$(dirname "$program")"
    say "$program is built for $suite ($(since "$start") s)"
}
