# shellcheck shell=bash
# Debian systems with pinned packages, each in a temporary folder that goes away at the end. Needs
# root and mmdebstrap; takes the mirror and the keyring of this machine's own apt sources.

work=$(mktemp -d)
chmod 755 "$work"
trap 'clean_up' EXIT
failed=0
mounts=()

# Processes that a finding starts in the background end with it, in any order: a server may wait for its client.
# Their own children may still have a device open for a moment.
clean_up() {
    local pid

    for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
    for pid in $(jobs -p); do wait "$pid" 2>/dev/null || true; done
    ((${#mounts[@]} == 0)) || umount --lazy "${mounts[@]}"
    rm -rf --one-file-system "$work"
}

# The machine's devices, in the system at ROOT, until the end.
mount_devices() { # ROOT
    mount --bind /dev "$1/dev"
    mounts+=("$1/dev")
}

finish() { exit "$failed"; }

# debian_root SUITE PACKAGE=VERSION...: prints the folder of a new system. A version that the
# mirror no longer has is an error: the finding has to be looked at again with the newer one.
debian_root() {
    local suite=$1 root=$work/$1 uri

    shift
    # shellcheck disable=SC2016 # apt expands it
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    mmdebstrap --quiet --mode=root --variant=apt --aptopt='Apt::Install-Recommends "false"' \
        --include="$(IFS=, && echo "$*")" "$suite" "$root" "deb $uri $suite main" >&2
    echo "$root"
}

# expect WHAT SEEN WANTED
expect() {
    printf '%s: %s\n' "$1" "$2"
    [[ $2 == "$3" ]] || { echo "  CHANGED: it was $3" && failed=1; }
}

# Wait until a path exists, for at most 30 s.
await() {
    local n

    for ((n = 0; n < 300; n++)); do
        [[ ! -e $1 ]] || return 0
        sleep 0.1
    done
    echo "$1 has not appeared" >&2
    return 1
}
