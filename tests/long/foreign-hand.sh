#!/bin/bash
# another hand at the VM while it is moved: continued, stopped, ended, its mirrors completed
# needs: build-release
exec python3 tests/e2e/test-foreign-hand.py
