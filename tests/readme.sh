#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's program is the example, the examples run, what the documents quote of them is in them, and the files that they
# name exist.
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
"$build/call-flat/embedded/embed" >"$example" 2>&1 && grep -q '^10000 notes freed$' "$example"
check $? "examples/embed failed"
# The commands that docs/porting.md gives for it.
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' docs/porting.md | sed "s|-o embed |-o $snippet |" >"$example"
sh -e "$example" >/dev/null 2>&1 && "$snippet" 2>/dev/null | grep -q '^10000 notes freed$'
check $? "docs/porting.md: its commands do not build examples/embed.c"
# A C block behind a line "<!-- FILE -->" is a part of that file, line by line.
for doc in README.md docs/*.md; do
	quotes=$(awk '
	/^<!-- [a-z0-9_\/]+\.[ch] -->$/ { file = $2; next }
	/^```c$/ && file != "" { on = 1; quote = ""; begin = FNR; next }
	/^```$/ && on {
		text = ""
		while ((getline line < file) > 0) text = text line "\n"
		close(file)
		print (index("\n" text, "\n" quote) && quote != "" ? "same" : "differs") " " file ":" begin
		on = 0; file = ""; next
	}
	on { quote = quote $0 "\n"; next }
	$0 != "" { file = "" }' "$doc")
	for quote in $(echo "$quotes" | tr ' ' ';'); do
		[ "${quote%%;*}" = same ]
		check $? "$doc:${quote##*:} quotes what is not in ${quote#*;}"
	done
done
for f in $(grep -oE '\]\([^)#]+\)' README.md CONTRIBUTING.md docs/*.md | sed 's/^\([^:]*\):](\(.*\))$/\1:\2/' | grep -v http); do
	[ -e "$(dirname "${f%%:*}")/${f#*:}" ]
	check $? "${f%%:*} links to ${f#*:}, which does not exist"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
