#!/bin/bash
# every pair of QEMU 7.2, 10.0 and 11.1, pc and q35, each kind of disk, OVMF, a guest that checks itself
# needs: build-release
# packages: tests/xen/packages.txt
exec tests/versions/matrix.py --all
