#!/bin/bash
# forty moves of a busy guest in the default RAM mode, none retried
# needs: build-release
exec python3 tests/e2e/soak.py 40
