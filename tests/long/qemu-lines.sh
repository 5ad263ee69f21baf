#!/bin/bash
# command lines as people start QEMU with them, each moved between two throw-away hosts
# needs: build-release
exec tests/qemu-lines/run
