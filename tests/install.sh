#!/bin/sh
# SPDX-License-Identifier: MIT
# A stranger's view: install into a scratch directory, build a kernel's port against it with pkg-config, use the command.
# Usage: tests/install.sh [BUILD-DIR]. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
passed=0
failed=0
root=$(mktemp -d) || exit 2
trap 'rm -rf "$root"' EXIT
check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >"$root/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL install.$name"
		sed 's/^/     /' "$root/log" | head -n 20
	fi
}
flags() { sed -n "s/^$1: //p" "$root/usr/lib/pkgconfig/octavo.pc" | sed "s|\${includedir}|$root/usr/include|; s|\${libdir}|$root/usr/lib|"; }

check make_install make -s B="$build" install DESTDIR="$root" PREFIX=/usr
check headers_are_there test -f "$root/usr/include/octavo/port.h"
check man_page_is_there test -f "$root/usr/share/man/man1/octavo.1"
check command_runs "$root/usr/bin/octavo" --version

# What it shows of the heap: a tour that finds its planted bug and nothing else, caches in the JSON text.
printf 'ram 0-512M node 0\nram 512M-1G node 1\ncpu 2 node 0\ncpu 2 node 1\n' >"$root/map"
"$root/usr/bin/octavo" tour "$root/map" </dev/null >"$root/tour" 2>&1
check tour_ends_well test $? -eq 0
check tour_finds_its_bug grep -q 'BUG tour_guarded (Not tainted): Right Redzone overwritten' "$root/tour"
check tour_shows_caches grep -q '^  OBJS ACTIVE  USE OBJ SIZE' "$root/tour"
check tour_leaves_nothing grep -q 'kmem_cache_shrink() *0 *0B *0B' "$root/tour"
"$root/usr/bin/octavo" boot "$root/map" --json >"$root/json"
check json_has_caches grep -q '"name": "kmalloc-64"' "$root/json"
check json_has_a_back_end grep -qE '"back_end": "(slub|slab|slob)"' "$root/json"

# What it cannot do is said, ahead of anything else that it does.
said() { # TEXT OPTIONS...: fails, with that message and nothing else
	text=$1
	shift
	"$root/usr/bin/octavo" "$@" >"$root/said" 2>&1 && return 1
	cat "$root/said"
	test "$(cat "$root/said")" = "octavo: $text"
}
truncate -s 1M "$root/disk"
check disk_given_twice said "the disk '$root/disk': it is given twice" boot "$root/map" --quiet --disk "$root/disk" --disk "$root/disk"
check no_swap_area said "--swap '$root/disk': no swap area is on it ('mkswap FILE' makes one)" boot "$root/map" --quiet --swap "$root/disk"
check trace_cannot_be_written said "--trace '/nowhere/trace': No such file or directory" boot "$root/map" --trace /nowhere/trace

# The template port, a program with names of its own that the library also uses inside, and nothing else.
cat >"$root/kernel.c" <<'END'
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/port.h>
int printk, memcpy_calls, zone_names, frame_alloc, list_add;
int main(int argc, char **argv)
{
	(void)argv;
	return argc > 1 ? mm_init(0) || !alloc_pages(GFP_KERNEL, 0) : 0;
}
END
# shellcheck disable=SC2046
check template_port_links ${CC:-cc} -Wall -Wextra -Werror $(flags Cflags) -o "$root/kernel" "$root/kernel.c" port/template/port.c $(flags Libs)
check its_program_runs "$root/kernel"
check uninstall make -s B="$build" uninstall DESTDIR="$root" PREFIX=/usr
check nothing_is_left test -z "$(find "$root/usr" -type f 2>/dev/null)"

# Other build systems take the list of sources as it is.
check source_list_is_complete sh -c 'ls mm/*/*.c | sort >"$1/have" && sed -n "s/^\t\(mm[^ ]*\.c\).*/\1/p" mk/sources.mk | sort >"$1/listed" && diff "$1/have" "$1/listed"' sh "$root"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
