#!/bin/bash
# zeroes and data at once in the clusters of a qcow2 image, as mirrors send them: each page holds what was written last
exec python3 tests/e2e/zeroes.py --seconds 30
