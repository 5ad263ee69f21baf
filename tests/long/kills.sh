#!/bin/bash
# kill -9 of each party before and after every record of the commit table
# needs: build-release
exec python3 tests/e2e/test-kill.py --long
