#!/bin/bash
# every pair of QEMU 7.2, 10.0 and 11.1 with a guest that checks itself, and each other kind of VM at one of them
# needs: build-release
# packages: tests/xen/packages.txt
exec tests/versions/matrix.py --some
