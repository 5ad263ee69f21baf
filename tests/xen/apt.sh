# shellcheck shell=bash
# Packages of any Debian suite, from the mirrors and keyring of this machine's own apt
# sources. Everything apt keeps for it lies in $LAB_DIR/apt/SUITE.

apt_for() { # SUITE COMMAND...
    local suite=$1 at=$LAB_DIR/apt/$1
    shift
    "$@" -o "Dir::State=$at" -o "Dir::State::status=$at/status" -o "Dir::Cache=$at/cache" \
        -o "Dir::Etc::sourcelist=$at/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o APT::Architecture=amd64 \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
}

# The keyring that the machine's Debian sources name, else Debian's own.
apt_keyring() { # SOURCE_FILE...
    local key

    for key in $(sed -nE 's/^Signed-By: *//Ip; s/^deb .*\[.*signed-by=([^] ]*).*/\1/p' "$@") \
        /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        [[ -s $key ]] && echo "$key" && return
    done
    die 'no keyring for the Debian archive: install debian-archive-keyring'
}

apt_targets() {
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)|$(SOURCESENTRY)' \
        'Identifier: Packages' 'Origin: Debian'
}

# One "deb" line for each archive of the machine (main, updates, security), for SUITE, and for the
# suite that it is made for if SUITE is one of backports.
apt_sources() { # SUITE
    local suite=${1%-backports} targets files keyring label codename uri option

    targets=$(apt_targets)
    [[ $targets ]] || { apt-get -qq update && targets=$(apt_targets); }
    [[ $targets ]] || die 'this machine has no Debian apt sources'
    mapfile -t files < <(cut -d'|' -f4 <<<"$targets" | sed 's/:[0-9]*$//' | sort -u)
    keyring=$(apt_keyring "${files[@]}")
    while IFS='|' read -r label codename uri _; do
        option="[arch=amd64 signed-by=$keyring]"
        case $label:$codename in
        Debian-Security:* | Debian:*-updates) [[ $suite != sid ]] || continue ;;& # it has neither
        Debian-Security:*) echo "deb $option $uri $suite-security main" ;;
        Debian:*-updates) echo "deb $option $uri $suite-updates main" ;;
        Debian:*-*) ;; # backports and the like
        Debian:*)
            echo "deb $option $uri $suite main"
            [[ $1 == "$suite" ]] || echo "deb $option $uri $1 main"
            ;;
        esac
    done <<<"$targets" | sort -u
}

# Fetch the suite's lists, unless that was done within the hour.
apt_update() { # SUITE
    local at=$LAB_DIR/apt/$1

    [[ ! $(find "$at/updated" -mmin -60 2>/dev/null) ]] || return 0
    mkdir -p "$at"/{lists,cache/archives}/partial
    : >"$at/status"
    apt_sources "$1" >"$at/sources.list"
    apt_for "$1" apt-get -qq update || die "apt-get update for $1 has failed"
    touch "$at/updated"
}

# The packages and all that they depend on, with checksums, one per line.
apt_resolve() { # SUITE PACKAGE...
    local suite=$1
    shift
    apt_for "$suite" apt-get install -qq -y --print-uris "$@" |
        awk '/^\047/ { print $2, $3, $4 }' | LC_ALL=C sort
}

# The package that a kernel's meta package stands for now.
apt_kernel() { # SUITE META
    apt_for "$1" apt-cache depends "$2" | awk '$1 == "Depends:" && /linux-image-/ { print $2; exit }'
}

# A file system with the packages installed, from backports where SUITE says so. Takes the machine's
# proxies along.
apt_bootstrap() { # SUITE ROOT PACKAGE,...
    local option options=() list=$LAB_DIR/apt/$1/sources.list

    [[ $1 != *-backports ]] || options+=(--aptopt="APT::Default-Release \"$1\"")
    while IFS= read -r option; do options+=(--aptopt="$option"); done < <(
        apt-config dump | grep -E '^Acquire::(https?::|Retries|Check-Valid-Until)' | grep -v '""'
    )
    mmdebstrap --quiet --mode=root --variant=apt --architectures=amd64 \
        --aptopt='Apt::Install-Recommends "false"' "${options[@]}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
        --dpkgopt='path-exclude=/usr/lib/udev/hwdb*' \
        --include="$3" "${1%-backports}" "$2" "$list"
}
