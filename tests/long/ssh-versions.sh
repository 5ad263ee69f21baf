#!/bin/bash
# OpenSSH 9.2, 10.0, 10.3 and 10.6 at both ends, and the oldest and the newest with each other: many disks, idle lanes, warnings, names
# needs: build-release
# packages: tests/xen/packages.txt
exec tests/versions/ssh.py 9.2:9.2 10.0:10.0 10.3:10.3 10.6:10.6 9.2:10.6 10.6:9.2
