#!/bin/bash
# the scenarios of the Xen lab that ./check --long leaves out
# needs: build-release
# packages: tests/xen/packages.txt
export XMIG_LAB_DIR=${XMIG_LAB_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xmig-lab} # kept for the next run
suite=$(. /etc/os-release && echo "$VERSION_CODENAME") # whose xmig is built already
exec tests/xen/e2e --full --logs build/check/xen-full --program "$suite=build/release/xmig"
