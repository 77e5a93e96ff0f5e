# SPDX-License-Identifier: MIT
# Cases of the reference kernel, as kernel.sh and pressure.sh have them: read in by those, with their arguments.
# shellcheck shell=sh disable=SC2034 # what is set here is used there
build=${1:-build}
only=${2:-}
out=$build/qemu
mkdir -p "$out"
drive=
passed=0
failed=0
skipped=0

wanted() {
	case $1 in *"$only"*) return 0 ;; esac
	return 1
}

# judge NAME STATUS WANTED-STATUS PATTERN...: each pattern must be in the log; one that begins with "!" must not.
judge() {
	name=$1
	status=$2
	want=$3
	why=
	shift 3
	[ "$status" = "$want" ] || why=" status $status instead of $want;"
	[ "$status" != 124 ] || why=" timeout;"
	# Who powers off has every page frame looked at.
	[ "$want" != 33 ] || set -- "$@" '^\[.*\] verify: 0 findings$'
	for pattern; do
		case $pattern in
		!*) ! grep -qE -e "${pattern#!}" "$out/kernel-$name.log" || why="$why unwanted: ${pattern#!};" ;;
		*) grep -qE -e "$pattern" "$out/kernel-$name.log" || why="$why missing: $pattern;" ;;
		esac
	done
	if [ -z "$why" ]; then
		passed=$((passed + 1))
		echo "ok   kernel.$name"
	else
		failed=$((failed + 1))
		echo "FAIL kernel.$name:$why"
		grep -E '^FAIL' "$out/kernel-$name.log" | head -n 25 | sed 's/^/     /'
		tail -n 15 "$out/kernel-$name.log" | sed 's/^/     /'
	fi
}

# boot NAME MEMORY CPUS ARCHIVE [APPEND]: the status is in $status
boot() {
	log=$out/kernel-$1.log
	# shellcheck disable=SC2086 # words
	timeout "${limit:-120}" qemu-system-x86_64 -display none -nodefaults -serial stdio -no-reboot -cpu max,la57=off \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -m "$2" -smp "$3" -kernel "$build/kernel.elf" \
		${drive:-} -initrd "$4" -append "console=ttyS0 octavo.exit=0xf4 octavo.verify ${5:-}" >"$log.raw" 2>&1
	status=$?
	tr -d '\r' <"$log.raw" >"$log"
	rm -f "$log.raw"
}

# Nothing of these may be in any log: the kernel's own complaints.
clean='!BUG:|WARNING:|Kernel panic|Call trace|Call Trace|something is still mapped'
