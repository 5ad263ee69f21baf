#!/bin/bash
# OpenSSH 9.2, 10.0, 10.3 and 10.6 at either end: many disks, idle lanes, warnings, names
# needs: build-release
# packages: tests/xen/packages.txt
exec tests/versions/ssh.py --all
