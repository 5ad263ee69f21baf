#!/bin/bash
# faults × moments: other people's hands on a VM that is being moved
# needs: build-release
exec python3 tests/e2e/fault-table.py
