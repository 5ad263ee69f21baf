#!/bin/bash
# a sender that misbehaves in each way at each door, and 500 good sessions changed by their seeds
# needs: build-dev
export XMIG=build/dev/xmig
exec python3 tests/e2e/test-hostile-sender.py --all --seeds 1:500
