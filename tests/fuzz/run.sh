#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the fuzz targets for a while each. Usage: tests/fuzz/run.sh BUILD-DIR SECONDS
# Corpora are kept in BUILD-DIR/corpus/. An input that fails is left in BUILD-DIR. Ends with
# "N passed, N failed, N skipped".
set -u
build=$1
seconds=$2
passed=0
failed=0
for program in "$build"/fuzz-*; do
	[ -x "$program" ] || continue
	name=${program##*/fuzz-}
	corpus=$build/corpus/$name
	mkdir -p "$corpus"
	set -- "$corpus"
	logs=${OCTAVO_SHARED:-../shared}/bootlogs
	[ "$name" = bootlog ] && [ -d "$logs" ] && set -- "$@" "$logs"
	if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
		-artifact_prefix="$build/$name-" "$@" >"$build/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   fuzz.$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log") runs"
	else
		failed=$((failed + 1))
		echo "FAIL fuzz.$name:"
		tail -n 60 "$build/$name.log" | sed 's/^/     /'
	fi
done
[ $((passed + failed)) -gt 0 ] || { echo "no fuzz target in $build"; failed=1; }
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
