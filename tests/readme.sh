#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's program is the example, the example runs, and the files the README names exist.
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
passed=0
failed=0
check() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "README: $2"
	fi
}
snippet=$(mktemp) && example=$(mktemp) || exit 2
trap 'rm -f "$snippet" "$example"' EXIT
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$snippet"
sed 1,2d examples/hello.c >"$example"
cmp -s "$snippet" "$example"
check $? "its program differs from examples/hello.c"
"$build/examples/hello" >/dev/null
check $? "examples/hello failed"
for f in $(grep -oE '\]\([^)#]+\)' README.md CONTRIBUTING.md docs/*.md | sed 's/^\([^:]*\):](\(.*\))$/\1:\2/' | grep -v http); do
	[ -e "$(dirname "${f%%:*}")/${f#*:}" ]
	check $? "${f%%:*} links to ${f#*:}, which does not exist"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
