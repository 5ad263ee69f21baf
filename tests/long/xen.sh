#!/bin/bash
# the Xen lab itself, and one scenario of each kind that ./check does not run
# needs: build-release
# packages: tests/xen/packages.txt
set -euo pipefail
export XMIG_LAB_DIR=${XMIG_LAB_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xmig-lab} # kept for the next run
suite=$(. /etc/os-release && echo "$VERSION_CODENAME") # whose xmig is built already
XMIG_LAB=selftest tests/xen/lab selftest bookworm
exec tests/xen/e2e --long --logs build/check/xen-long --program "$suite=build/release/xmig"
