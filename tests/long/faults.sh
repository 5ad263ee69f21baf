#!/bin/bash
# the fault tests five times over: what fails once in a while fails here
# needs: build-dev
exec tests/setup/run-ctest dev -L '^fault$' --repeat until-fail:5
