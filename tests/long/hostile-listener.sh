#!/bin/bash
# all that a lying target can say, and 2,000 of its sessions changed at random, to a sender with sanitizers
# needs: build-dev
XMIG=build/dev/xmig exec python3 tests/e2e/test-hostile-listener.py --all --mutated 2000
