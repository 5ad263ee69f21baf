#!/bin/bash
# half a minute of fuzzing each parser
# needs: build-fuzz
set -uo pipefail
passed=0 failed=0
for target in build/fuzz/tests/fuzz/fuzz-*; do
    [[ -x $target && -f $target ]] || continue
    name=${target##*/fuzz-}
    found=build/check/fuzz-$name
    mkdir -p "$found/corpus"
    echo "== $name"
    if "$target" -max_total_time=30 -print_final_stats=1 -artifact_prefix="$found/" \
        "$found/corpus" "tests/fuzz/corpus/$name"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
((passed + failed)) || failed=1
echo "$passed $failed" >"$COUNTS"
((failed == 0))
