#!/bin/bash
# faults × moments over TLS: of the listener, of the network, of both programs
# needs: build-release
exec python3 tests/e2e/fault-table.py --transport tls --some
