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

# make_trace NAME COMMAND...: NAME.lackey.gz, of at most sixty million references to data
make_trace() {
	name=$1
	shift
	[ -s "$to/$name.lackey.gz" ] && return
	echo "tracing: $*"
	rm -f "$to/$name.pipe" # of a run that was interrupted
	mkfifo "$to/$name.pipe" || exit 2
	grep '^ [LSM]' <"$to/$name.pipe" | head -n 60000000 | gzip -1 >"$to/$name.part" &
	valgrind --tool=lackey --trace-mem=yes --log-file="$to/$name.pipe" "$@" >/dev/null 2>&1 </dev/null
	wait
	rm -f "$to/$name.pipe"
	if [ -z "$(gzip -dc "$to/$name.part" 2>/dev/null | head -c 1)" ]; then
		echo "valgrind made no trace of $name"
		exit 1
	fi
	mv "$to/$name.part" "$to/$name.lackey.gz" || exit 2
}

# Programs that use a few MiB at least: of less, reclaim takes all at once.
seq 1 60000 | awk '{ print ($1 * 7919) % 100003 }' >"$to/numbers"
make_trace sort sort -n -S 8M "$to/numbers"
make_trace awk awk '{ n[$1] += NR } END { for (k in n) s += n[k]; print s }' "$to/numbers"
if command -v sqlite3 >/dev/null 2>&1; then
	make_trace sqlite sqlite3 :memory: "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 12000)
			INSERT INTO t SELECT x, hex(randomblob(150)) FROM c;
		CREATE INDEX i ON t(b);
		UPDATE t SET b = b || 'x' WHERE a % 7 = 3;
		SELECT count(*) FROM t u JOIN t v ON v.a = (u.a * 7919) % 12000 WHERE u.b < v.b;"
fi
if command -v gcc >/dev/null 2>&1; then
	cc1=$(gcc -print-prog-name=cc1)
	[ -x "$cc1" ] && make_trace cc1 "$cc1" -quiet -O1 -o /dev/null mm/vm/vma.c -Iinclude -I. -std=gnu11 \
		-DOCTAVO_MEMORY_MODEL_FLAT -DOCTAVO_HEAP_SLUB -DOCTAVO_ARCH_X86_64
fi
for trace in "$to"/*.lackey.gz; do
	"$build/octavo" replay --data --sizes 10%,20%,40%,60%,80% "$trace" || exit 1
	echo
done
