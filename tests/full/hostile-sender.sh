#!/bin/bash
# 2,000 more good sessions of a sender, changed by their seeds
# needs: build-dev
export XMIG=build/dev/xmig
exec python3 tests/e2e/test-hostile-sender.py --no-table --seeds 501:2000
