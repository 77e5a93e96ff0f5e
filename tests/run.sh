#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything: each variant of the build with its tests, real boot logs, emulated PCs, the checks of the sources.
# Usage: tests/run.sh [SUITE...]      without any: all of them; "list" names them
# One line a suite; what a suite that failed had to say comes before its line. The last line is
# "N passed, N failed, N skipped". Logs are in build/log/.
#
# JOBS: how many compilers and test processes at once (default: the processors). SEED: of the random tests (default: 1).
# With CI=true a missing package is a failure; otherwise the suites that need it are skipped.
#
# Suites on emulated PCs mostly wait for one processor of the host: two of them run at a time.
set -u
cd "$(dirname "$0")/.." || exit 2
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
seed=${SEED:-1}
logs=build/log
mkdir -p "$logs"
only=" $* "
passed=0
failed=0
skipped=0
missing=
limit=1200 # seconds for the tests of one suite: several times what they take

# The tests whose ground is the heap: what the variants with another back end repeat. The names of their files have the
# same words, but for a few.
heap='heap kmem_ kmalloc slab slob mempool percpu kfence leak usercopy shrinker'
files=$(echo "$heap cache_reclaim frames_tiny rcu_test zswap_test" | tr ' ' ,)

# name|needs|make variables|options of the test program
variants="
gcc|gcc|CC=gcc|
clang|clang|CC=clang ARCH=x86_64_la57 MODEL=flat INLINE=call|--effort 25
m32-debug|m32|CC=gcc M32=1 DEBUG=1 SCHED=1 MODEL=vmemmap|--effort 16
address|asan|CC=gcc MODEL=discontig BOOTMEM=1 SAN=address,undefined|--effort 12
thread|tsan|CC=gcc ARCH=x86_64_la57 SAN=thread|--effort 5
sched|gcc|CC=gcc ARCH=arm64 MODEL=sparse SCHED=1 DEBUG=1|--effort 30
slab-sched|m32|CC=gcc M32=1 SLAB=slab SCHED=1 DEBUG=1 TESTS=$files|--effort 30 $heap
slab-thread|tsan|CC=gcc SLAB=slab SAN=thread TESTS=$files|--effort 10 $heap
slob-address|asan|CC=gcc SLAB=slob SAN=address,undefined TESTS=$files|--effort 15 $heap
i386|m32|CC=gcc M32=1 ARCH=i386 SCHED=1 DEBUG=1|--effort 15
"
others='nm|install|readme|procps|conformance|fuzz|qemu|kernel|pressure|qemu-la57|qemu-i386|qemu-pae|qemu-slab|qemu-slob|tidy'

if [ "$*" = list ]; then
	echo "$variants" | cut -d'|' -f1 | grep .
	echo "$others" | tr '|' '\n'
	exit 0
fi

wanted() { [ "$only" = "  " ] || case $only in *" $1 "*) true ;; *) false ;; esac; }

# say NAME PASSED FAILED SKIPPED SECONDS
say() {
	[ -t 1 ] && printf '\r\033[K'
	printf '%-12s %6d passed %4d failed %4d skipped %5d s\n' "$@"
	passed=$((passed + $2))
	failed=$((failed + $3))
	skipped=$((skipped + $4))
}

busy() { [ -t 1 ] && printf '\r\033[K%-12s %s' "$1" "$2"; }

# lacks NAME NEED: is what it needs missing? Says so.
lacks() {
	line=$(echo "$missing" | grep -m 1 "^$2 ") || return 1
	line=${line#* }
	echo "$1 needs ${line#* } (package ${line%% *})"
	if [ "${CI:-}" = true ]; then
		say "$1" 0 1 0 0
	else
		say "$1" 0 0 1 0
	fi
}

# run NAME COMMAND...: runs it, reads its last counting line
run() {
	name=$1
	log=$logs/$name.log
	begin=$(date +%s)
	shift
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	[ "$status" -ne 124 ] || echo "not done within $limit s" >>"$log"
	counts=$(sed -n 's/^.*[^0-9]*\<\([0-9][0-9]*\) passed.*, \([0-9][0-9]*\) failed, \([0-9][0-9]*\) skipped.*$/\1 \2 \3/p' "$log" | tail -n 1)
	counts=${counts:-0 1 0}
	# shellcheck disable=SC2086
	set -- $counts
	# A program that ends badly has failed, whatever it counted.
	[ "$status" -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
	if [ "$2" -gt 0 ]; then
		[ -t 1 ] && printf '\r\033[K'
		echo "---- $name: $log"
		tail -n 200 "$log"
		echo "----"
	else
		grep -h '^\(.*] \)\{0,1\}\(skipped: \|SKIP \)' "$log" | sed 's/^\[[^]]*\] //' | grep -v '^SKIP.*[a-z]$' | sort | uniq -c |
			sed 's/^ *\([0-9]*\) /     \1 x /'
	fi
	say "$name" "$1" "$2" "$3" $(($(date +%s) - begin))
}

variant() { # NAME VARIABLES OPTIONS
	dir=build/$1
	debug=G=-g1 # less to write and to link; build/ is for people as well, and no object there knows its flags
	[ "$1" != gcc ] || { dir=build && debug=; }
	# shellcheck disable=SC2086
	make -s -j"$jobs" B="$dir" $debug $2 "$dir/tests" || { echo "the build failed: make B=$dir $2 $dir/tests"; return 1; }
	# shellcheck disable=SC2086
	timeout "$limit" "$dir/tests" --seed "$seed" --jobs "$jobs" $3
}

objects() { make -s -j"$jobs" build/liboctavo.a build/octavo build/octavo.elf && sh tests/nm.sh build; }
conformance() { make -s -j"$jobs" build/conformance && timeout "$limit" build/conformance; }
install() { make -s -j"$jobs" build/octavo build/liboctavo.a && sh tests/install.sh build; }
procps() { make -s -j"$jobs" build/octavo && sh tests/procps.sh build; }
readme() { make -s -j"$jobs" examples && sh tests/readme.sh build; }
fuzz() { make -s -j"$jobs" fuzz FUZZ_SECONDS=3; }
images() { make -s -j"$jobs" build/octavo.elf kernel user-programs; } # in build/, where two must not build at once
qemu() { timeout "$limit" sh tests/qemu/run.sh build; }
kernel() { timeout "$limit" sh tests/qemu/kernel.sh build; }
pressure() { timeout "$limit" sh tests/qemu/pressure.sh build; }
qemu_la57() {
	make -s -j"$jobs" B=build/la57 ARCH=x86_64_la57 build/la57/octavo.elf &&
		timeout "$limit" sh tests/qemu/run.sh build/la57
}
qemu_32() { # DIRECTORY ARCH
	make -s -j"$jobs" B="build/$1" M32=1 ARCH="$2" "build/$1/octavo.elf" "build/$1/liboctavo.a" "build/$1/octavo" &&
		sh tests/nm.sh "build/$1" M32=1 ARCH="$2" && timeout "$limit" sh tests/qemu/run.sh "build/$1"
}
qemu_heap() { # SLAB
	make -s -j"$jobs" B="build/$1" SLAB="$1" TESTS="$files" "build/$1/octavo.elf" "build/$1/liboctavo.a" "build/$1/octavo" &&
		sh tests/nm.sh "build/$1" && timeout "$limit" sh tests/qemu/run.sh "build/$1" two-cpus
}

echo "seed $seed, $jobs jobs"
busy packages '...'
missing=$(sh tests/packages.sh)
lines=$(echo "$variants" | grep .)
while IFS='|' read -r name needs variables options; do
	wanted "$name" || continue
	lacks "$name" "$needs" && continue
	busy "$name" '...'
	run "$name" variant "$name" "$variables" "$options"
done <<END
$lines
END
if wanted nm && ! lacks nm gcc; then
	busy nm '...'
	run nm objects
fi
for name in install readme; do
	wanted $name && ! lacks $name gcc && run $name $name
done
if wanted procps && ! lacks procps procps; then
	busy procps '...'
	run procps procps
fi
if wanted conformance && ! lacks conformance gcc; then
	busy conformance '...'
	run conformance conformance
fi
if wanted fuzz && ! lacks fuzz fuzz; then
	busy fuzz '...'
	run fuzz fuzz
fi

emulated=
emulate() { emulated="$emulated $1"; }
if wanted kernel && ! lacks kernel qemu && ! lacks kernel busybox; then emulate kernel; fi
for name in i386 pae; do
	if wanted qemu-$name && ! lacks qemu-$name m32 && ! lacks qemu-$name qemu; then emulate qemu-$name; fi
done
if wanted qemu && ! lacks qemu qemu; then
	[ "${CI:-}" != true ] || ! lacks qemu-grub grub
	emulate qemu
fi
if wanted qemu-la57 && ! lacks qemu-la57 qemu; then emulate qemu-la57; fi
if wanted pressure && ! lacks pressure qemu && ! lacks pressure busybox && ! lacks pressure sqlite &&
	! lacks pressure mkswap; then
	emulate pressure
fi
for name in slab slob; do
	if wanted qemu-$name && ! lacks qemu-$name qemu; then emulate qemu-$name; fi
done

emulated_suite() {
	case $1 in
	qemu-la57) run "$1" qemu_la57 ;;
	qemu-pae) run "$1" qemu_32 m32 i386_pae ;;
	qemu-i386) run "$1" qemu_32 i386 i386 ;;
	qemu-slab | qemu-slob) run "$1" qemu_heap "${1#qemu-}" ;;
	*) run "$1" "$1" ;;
	esac
}

# One after the other, those that nobody has begun.
lane() {
	for name in $emulated; do
		mkdir "$logs/$name.lane" 2>/dev/null || continue
		emulated_suite "$name" >"$logs/$name.said" 2>&1
		mv "$logs/$name.said" "$logs/$name.lane/said"
	done
}

if [ -n "$emulated" ]; then
	for name in $emulated; do rm -rf "$logs/$name.lane" "$logs/$name.said"; done
	busy images '...'
	case " $emulated " in
	*" qemu "* | *" kernel "* | *" pressure "*) images >"$logs/images.log" 2>&1 || { tail -n 20 "$logs/images.log"; failed=1; } ;;
	esac
	lane &
	[ "$jobs" -lt 2 ] || lane &
	for name in $emulated; do
		busy "$name" '...'
		while [ ! -f "$logs/$name.lane/said" ]; do sleep 1; done
		[ -t 1 ] && printf '\r\033[K'
		cat "$logs/$name.lane/said"
		# shellcheck disable=SC2046 # numbers
		set -- $(tail -n 1 "$logs/$name.lane/said" | sed 's/^[^ ]* *\([0-9]*\) passed *\([0-9]*\) failed *\([0-9]*\) skipped.*/\1 \2 \3/')
		passed=$((passed + $1))
		failed=$((failed + $2))
		skipped=$((skipped + $3))
	done
	wait
fi
if wanted tidy && ! lacks tidy git; then
	busy tidy '...'
	run tidy sh tools/tidy build
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
