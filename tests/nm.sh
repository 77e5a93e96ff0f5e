#!/bin/sh
# SPDX-License-Identifier: MIT
# One core, linked unchanged. Usage: tests/nm.sh [BUILD-DIR [MAKE-VARIABLE=VALUE...]]
# The library may want nothing but port functions, and the command and the kernel image must be linked from the very
# same core objects. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
[ $# -eq 0 ] || shift
variables="$*"
passed=0
failed=0
found=$build/nm-findings
check() { # NAME: findings are in $found
	if [ ! -s "$found" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL nm.$1:"
		sed 's/^/     /' "$found"
	fi
}

# core_of IMAGE: the core's objects in the command that links it, with their hashes
core_of() {
	# shellcheck disable=SC2086 # the variables are words
	make -s -n V=1 B="$build" $variables -W mm/sync/cpu.c "$1" 2>/dev/null |
		grep -e "-o $1 " | tail -n 1 | tr ' ' '\n' | grep "^$build/core/mm/" | sort -u | xargs sha256sum
}

# older IMAGE: core objects that are newer than the image they should be in
newer() { find "$build/core/mm" -name '*.o' -newer "$1" | sed "s|\$| is newer than $1|"; }

nm -u "$build/liboctavo.a" 2>/dev/null | awk 'NF == 2 && $2 !~ /^port_/ && $2 !~ /^__(start|stop)_/ && $2 != "_GLOBAL_OFFSET_TABLE_" { print $2 }' |
	# In 32 bits the compiler calls its library for some operations on 64.
	grep -vE '^__(ctz|clz|u?div|u?mod|u?divmod)di[234]$' >"$found"
check wants_only_port_functions
: >"$found"
nm -u "$build/liboctavo.a" 2>/dev/null | grep -q port_panic || echo "port_panic is not wanted: is this the core?" >"$found"
check looks_at_the_core
nm "$build/liboctavo.a" 2>/dev/null | awk '$NF ~ /^port_/ { print $NF }' | sort -u >"$build/port-functions"
: >"$found"
[ "$(wc -l <"$build/port-functions")" -le 25 ] || cat "$build/port-functions" >"$found"
check wants_25_port_functions_at_most
core_of "$build/octavo" >"$build/core-in-octavo"
core_of "$build/octavo.elf" >"$build/core-in-elf"
{
	[ "$(wc -l <"$build/core-in-octavo")" -ge 10 ] || echo "only $(wc -l <"$build/core-in-octavo") core objects in $build/octavo"
	newer "$build/octavo"
	newer "$build/octavo.elf"
} >"$found"
check images_are_up_to_date
diff "$build/core-in-octavo" "$build/core-in-elf" >"$found"
check same_objects_in_process_and_kernel

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
