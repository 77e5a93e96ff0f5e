#!/bin/sh
# SPDX-License-Identifier: MIT
# Traces of real programs by valgrind's lackey, and what octavo replay says of them: sh bench/traces.sh [build] [DIRECTORY]
# Traces are kept in DIRECTORY (build/traces) and made only if they are not there.
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
to=${2:-$build/traces}
if ! command -v valgrind >/dev/null 2>&1; then
	echo "skipped: no valgrind (Debian: valgrind)"
	exit 0
fi
mkdir -p "$to" || exit 2

# make_trace NAME COMMAND...: NAME.lackey.gz, of at most a hundred million references
make_trace() {
	name=$1
	shift
	[ -s "$to/$name.lackey.gz" ] && return
	echo "tracing: $*"
	rm -f "$to/$name.pipe" # of a run that was interrupted
	mkfifo "$to/$name.pipe" || exit 2
	head -n 100000000 <"$to/$name.pipe" | grep -v '^==' | gzip -1 >"$to/$name.part" &
	valgrind --tool=lackey --trace-mem=yes --log-file="$to/$name.pipe" "$@" >/dev/null 2>&1 </dev/null
	wait
	rm -f "$to/$name.pipe"
	if [ -z "$(gzip -dc "$to/$name.part" 2>/dev/null | head -c 1)" ]; then
		echo "valgrind made no trace of $name"
		exit 1
	fi
	mv "$to/$name.part" "$to/$name.lackey.gz" || exit 2
}

seq 1 3000 | awk '{ print ($1 * 7919) % 100003 }' >"$to/numbers"
make_trace sort sort -n "$to/numbers"
make_trace awk awk '{ n[$1 % 500] += $1 } END { for (k in n) s += n[k]; print s }' "$to/numbers"
make_trace gzip gzip -c docs/octavo.1
if command -v gcc >/dev/null 2>&1; then
	cc1=$(gcc -print-prog-name=cc1)
	[ -x "$cc1" ] && make_trace cc1 "$cc1" -quiet -O1 -o /dev/null examples/hello.c -Iinclude -I.
fi
for trace in "$to"/*.lackey.gz; do
	"$build/octavo" replay --data --sizes 10%,20%,40%,60%,80% "$trace" || exit 1
	echo
done
