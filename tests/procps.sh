#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs for Linux read our slabinfo: slabtop and vmstat of procps show what the monitor's own slabtop shows, and
# have nothing to complain about. They read /proc/slabinfo and nothing else, so they are shown our text there: by a
# mount that only they see, or where mounts are not allowed by a library that opens the other file for them.
# Usage: tests/procps.sh [BUILD-DIR]. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
passed=0
failed=0
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >"$scratch/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL procps.$name"
		sed 's/^/     /' "$scratch/log" | head -n 20
	fi
}

# A machine, some objects, and what it shows of them.
cat >"$scratch/map" <<'END'
ram 0-512M node 0
ram 512M-1G node 1
cpu 2 node 0
cpu 2 node 1
END
cat >"$scratch/script" <<'END'
kmem_cache create inode_cache_with_a_longer_name 600 SLAB_RECLAIM_ACCOUNT|SLAB_NO_MERGE
kmem_cache create empty_cache 100 SLAB_NO_MERGE
kmem_cache alloc inode_cache_with_a_longer_name x1000
kmalloc 100 x1000
kmalloc 700 x90
kmalloc 8 x5000
kfree k2
echo ---- slabinfo
cat /proc/slabinfo
echo ---- slabtop
slabtop -o
echo ----
END
"$build/octavo" boot "$scratch/map" --quiet --monitor="$scratch/script" >"$scratch/out" 2>"$scratch/errors"
check monitor_script_runs test $? -eq 0
awk '/^----/ { on = $2 == "slabinfo"; next } on' "$scratch/out" >"$scratch/slabinfo"
awk '/^----/ { on = $2 == "slabtop"; next } on' "$scratch/out" >"$scratch/ours"
check slabinfo_is_there grep -q '^inode_cache_with_a_longer_name *1000 ' "$scratch/slabinfo"

# with COMMAND...: run it where /proc/slabinfo is our text
cat >"$scratch/open.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) = (FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");
	return real(strcmp(path, "/proc/slabinfo") ? path : getenv("OUR_SLABINFO"), mode);
}
FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}
END
mounted='f=$1; shift; mount --bind "$f" /proc/slabinfo && exec "$@"'
if unshare -rm sh -c "$mounted" sh "$scratch/slabinfo" true 2>"$scratch/why"; then
	with() { unshare -rm sh -c "$mounted" sh "$scratch/slabinfo" "$@"; }
elif unshare -m sh -c "$mounted" sh "$scratch/slabinfo" true 2>>"$scratch/why"; then
	with() { unshare -m sh -c "$mounted" sh "$scratch/slabinfo" "$@"; }
elif ${CC:-cc} -shared -fPIC -o "$scratch/open.so" "$scratch/open.c" -ldl 2>>"$scratch/why"; then
	with() { LD_PRELOAD="$scratch/open.so" OUR_SLABINFO="$scratch/slabinfo" "$@"; }
else
	echo "skipped: /proc/slabinfo can neither be mounted over nor opened elsewhere: $(head -n 1 "$scratch/why")"
	echo "$passed passed, $failed failed, 2 skipped"
	[ "$failed" -eq 0 ]
	exit
fi

quiet() { # OUTPUT COMMAND...: succeeds and says nothing on standard error
	output=$1
	shift
	"$@" >"$output" 2>"$scratch/errors" || { echo "status $?"; cat "$scratch/errors"; return 1; }
	cat "$scratch/errors"
	test ! -s "$scratch/errors"
}
# The table of a slabtop, its caches by name: names are cut to the 23 columns procps has for them.
table() { awk 'on { $8 = substr($8, 1, 23); $1 = $1; print } /OBJ\/SLAB/ { on = 1 }' "$1" | sort -k 8; }

if command -v slabtop >/dev/null 2>&1; then
	check slabtop_reads_it quiet "$scratch/theirs" with slabtop -o -s c
	table "$scratch/theirs" >"$scratch/theirs.table"
	table "$scratch/ours" >"$scratch/ours.table"
	check slabtop_shows_our_caches diff "$scratch/ours.table" "$scratch/theirs.table"
	check there_are_many test "$(wc -l <"$scratch/theirs.table")" -ge 15
	head -n 4 "$scratch/ours" | tr -s ' ' >"$scratch/ours.totals"
	head -n 4 "$scratch/theirs" | tr -s ' ' >"$scratch/theirs.totals"
	check slabtop_agrees_on_totals diff "$scratch/ours.totals" "$scratch/theirs.totals"
	for key in a b l n o p s u v; do
		check "slabtop_sorts_by_$key" quiet "$scratch/theirs" with slabtop -o -s $key
	done
	check vmstat_reads_it quiet "$scratch/vmstat" with vmstat -m
	columns='{ print substr($1, 1, 24), $2, $3, $4, $5 }'
	grep -v '^Cache  *Num ' "$scratch/vmstat" | awk "$columns" | sort >"$scratch/vmstat.table"
	sed 1,2d "$scratch/slabinfo" | awk "$columns" | sort >"$scratch/slabinfo.table"
	check vmstat_shows_our_caches diff "$scratch/slabinfo.table" "$scratch/vmstat.table"
	echo "$passed passed, $failed failed, 0 skipped"
else
	echo "skipped: there is no slabtop (package procps)"
	echo "$passed passed, $failed failed, 1 skipped"
fi
[ "$failed" -eq 0 ]
