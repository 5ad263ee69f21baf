#!/bin/bash
# kill -9 of the sender, the receiver, both, and ssh, at each line of the commit table; only the guardians act
# needs: build-release
exec python3 tests/e2e/test-guardian.py --long
