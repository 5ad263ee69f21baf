# Completion of xmig's command line for bash. tests/docs/man-pages compares the options here
# with those that the program knows.

_xmig_vms() {
    local name
    command -v xl >/dev/null && xl list 2>/dev/null | awk 'NR > 2 { print "xen:" $1 }'
    for name in $(pgrep -a '^qemu' 2>/dev/null | sed -n 's/.* -name \(guest=\)\?\([^ ,]*\).*/\2/p'); do
        echo "qemu:$name"
    done
}

_xmig_ids() {
    xmig list --all 2>/dev/null | awk '/^[0-9a-f]/ { print $1 }' | sort -u
}

_xmig_stages() {
    xmig stages 2>/dev/null | sed -n 's/^\([a-z-]*\): .*/\1/p'
}

# The value of the option before the cursor. False: it takes none.
_xmig_value() {
    local values
    case $1 in
    --ram) values='live one-pass stopped auto' ;;
    --progress) values='auto always never' ;;
    --side) values='send recv' ;;
    --without) values='drive-mirror' ;;
    --until) values=$(_xmig_stages) ;;
    --device-model | --cacert | -E | --cert | --key | --crlfile | --pinnedpubkey)
        mapfile -t COMPREPLY < <(compgen -f -- "$2")
        return 0
        ;;
    --as | --older | --name | --disk | --overwrite | --shared | --lose | --trust | --eject | --bridge | --max-downtime | --max-pause | --bwlimit | --deadline | --lease | --fence-command | --fault | --umask | -e | --rsh | \
        --remote-path | -x | --proxy | --noproxy | --resolve | --interface | --connect-timeout | --max-migrations | --max-per-peer | --peer) values='' ;;
    *) return 1 ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$2")
}

_xmig_options() {
    local words=''
    case $1 in
    send) words='--simulate --name --disk --overwrite --shared --lose --trust --eject --bridge --device-model --ram --max-downtime --max-pause --bwlimit --compress --deadline --lease --fence-command --no-guardian --guardian --without --until --dry-run --fault --rsh --remote-path --cacert --cert --key --crlfile --pinnedpubkey --proxy --noproxy --resolve --interface --ipv4 --ipv6 --connect-timeout --json --quiet --verbose --progress --help' ;;
    list) words='--all --json --help' ;;
    recover) words='--all --forward --back --close --peer-is-dead --discard --side --yes --cacert --cert --key --crlfile --pinnedpubkey --proxy --noproxy --resolve --interface --ipv4 --ipv6 --connect-timeout --json --quiet --verbose --help' ;;
    stages) words='--json --help' ;;
    listen) words='--cacert --cert --key --crlfile --max-migrations --max-per-peer --help' ;;
    keys) words='--json --help' ;;
    recv) words='--as --peer --verbose --help' ;;
    monitor) words='--help' ;;
    lane) words='--via --help' ;;
    guard) words='--help' ;;
    launch) words='--umask --may-gain-rights --help' ;;
    fence) words='--help' ;;
    forget) words='--older --json --help' ;;
    clean) words='--yes --json --help' ;;
    policy) words='--as --json --help' ;;
    help) words='--help' ;;
    esac
    echo "$words"
}

_xmig() {
    local cur prev words cword
    _init_completion -n : || return
    if ((cword == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'send list recover fence forget clean stages policy listen keys recv monitor guard lane launch help --help --version' -- "$cur")
        return
    fi
    _xmig_value "$prev" "$cur" && return
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_xmig_options "${words[1]}")" -- "$cur")
        return
    fi
    case ${words[1]} in
    send)
        mapfile -t COMPREPLY < <(compgen -W "$(_xmig_vms)" -A hostname -- "$cur")
        __ltrim_colon_completions "$cur"
        ;;
    recover | forget | clean) mapfile -t COMPREPLY < <(compgen -W "$(_xmig_ids)" -- "$cur") ;;
    keys) mapfile -t COMPREPLY < <(compgen -W 'init show trust' -- "$cur") ;;
    help) mapfile -t COMPREPLY < <(compgen -W 'send list recover fence forget clean stages policy listen keys recv monitor guard lane launch' -- "$cur") ;;
    policy) mapfile -t COMPREPLY < <(compgen -W check -- "$cur") ;;
    esac
}

complete -F _xmig xmig
