#!/bin/bash
# of 100 changed lines of the commit protocol's code the tests notice 95 %
exec tests/mutants/mutants --count 100
