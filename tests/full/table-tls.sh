#!/bin/bash
# the same faults × moments as in full-table, over TLS, and those of the listener
# needs: build-release
exec python3 tests/e2e/fault-table.py --transport tls
