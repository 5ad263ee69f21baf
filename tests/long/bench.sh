#!/bin/bash
# a mirror through xmig costs little more than one by hand: three rounds
# needs: build-release
exec tests/bench/mirror --quick
