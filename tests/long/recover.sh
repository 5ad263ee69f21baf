#!/bin/bash
# what only a person can decide: --forward, --back, a VM that died at the target, a retry
# needs: build-release
exec python3 tests/e2e/test-recover.py --long
