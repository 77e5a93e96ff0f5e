# SPDX-License-Identifier: MIT
# What run.sh, kernel.sh and pressure.sh have in common: read in by those, with their arguments. $suite is said in front
# of a case's name; a case's log is $out/$log_of$name.log, where $passes must be if it is to pass (status 33).
# shellcheck shell=sh disable=SC2034,SC2154 # what is set here is used there, and the other way round
build=${1:-build}
only=${2:-}
out=$build/qemu
mkdir -p "$out"
passed=0
failed=0
skipped=0

wanted() {
	case $1 in *"$only"*) return 0 ;; esac
	return 1
}

skip() { # NAME REASON
	wanted "$1" || return 0
	skipped=$((skipped + 1))
	echo "SKIP $suite.$1: $2"
}

# judge NAME STATUS WANTED-STATUS PATTERN...: each pattern must be in the log; one that begins with "!" must not.
judge() {
	name=$1
	status=$2
	want=$3
	log=$out/${log_of:-}$name.log
	why=
	shift 3
	[ "$status" = "$want" ] || why=" status $status instead of $want;"
	[ "$status" != 124 ] || [ "$want" = 124 ] || why=" timeout;"
	[ "$want" != 33 ] || [ -z "${passes:-}" ] || set -- "$@" "$passes"
	for pattern; do
		case $pattern in
		!*) ! grep -qE -e "${pattern#!}" "$log" || why="$why unwanted: ${pattern#!};" ;;
		*) grep -qE -e "$pattern" "$log" || why="$why missing: $pattern;" ;;
		esac
	done
	if [ -z "$why" ]; then
		passed=$((passed + 1))
		echo "ok   $suite.$name"
	else
		failed=$((failed + 1))
		echo "FAIL $suite.$name:$why"
		grep -E '^FAIL' "$log" | head -n 25 | sed 's/^/     /'
		tail -n 25 "$log" | sed 's/^/     /'
	fi
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}
