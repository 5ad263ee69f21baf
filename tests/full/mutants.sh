#!/bin/bash
# the same of 400 other changed lines
exec tests/mutants/mutants --count 400 --seed 2
