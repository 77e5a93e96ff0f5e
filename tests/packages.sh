#!/bin/sh
# SPDX-License-Identifier: MIT
# What the tests need beyond a C compiler and make. Usage: tests/packages.sh
# Missing Debian packages are installed if this is root's shell and apt works (apt-get update once). Then prints one
# line for each thing that is still missing: "NAME PACKAGE what is missing". NAMEs are what tests/run.sh knows.
set -u
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
echo 'int main(void) { return 0; }' >"$scratch/main.c"
echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p && n == 12345; }' >"$scratch/fuzz.c"
printf '#include <stdio.h>\n#include <readline/readline.h>\nint main(void) { return !readline; }\n' >"$scratch/readline.c"

have() { command -v "$1" >/dev/null 2>&1; }
installed() { ldconfig -p 2>/dev/null | grep -q "$1"; }
compiles() { "$@" -o "$scratch/out" >"$scratch/log" 2>&1; }

# name|package|test|what is missing
things='
gcc|gcc|have gcc|the gcc compiler
m32|gcc-multilib|compiles gcc -m32 $scratch/main.c|32-bit libraries for gcc -m32
clang|clang|have clang|the clang compiler
fuzz|libclang-rt-dev|compiles clang -fsanitize=fuzzer,address $scratch/fuzz.c|clang with libFuzzer
asan|gcc|compiles gcc -fsanitize=address,undefined $scratch/main.c|the address sanitizer of gcc
tsan|gcc|compiles gcc -fsanitize=thread $scratch/main.c|the thread sanitizer of gcc
readline|libreadline-dev|compiles gcc $scratch/readline.c -lreadline|the readline library
qemu|qemu-system-x86|have qemu-system-x86_64|the emulator qemu-system-x86_64
qemu|qemu-system-x86|have qemu-system-i386|the emulator qemu-system-i386
busybox|busybox-static|have busybox|the static BusyBox
musl|musl-tools|have musl-gcc|the C library musl and its compiler
gdb|gdb|have gdb|the debugger gdb
sqlite|sqlite3|have sqlite3|the database sqlite3
mkswap|util-linux|test -x /sbin/mkswap|mkswap(8)
grub|grub-pc-bin|test -d /usr/lib/grub/i386-pc|GRUB for BIOS machines
grub|grub-common|have grub-mkrescue|grub-mkrescue
grub|xorriso|have xorriso|xorriso
grub|mtools|have mformat|mtools
libraries|liblz4-1|installed liblz4.so.1|liblz4
libraries|libzstd1|installed libzstd.so.1|libzstd
procps|procps|have slabtop|the programs slabtop and vmstat
git|git|have git|git
'

# each FUNCTION: for every thing that is missing
each() {
	echo "$things" | while IFS='|' read -r name package check what; do
		[ -n "$name" ] || continue
		eval "$check" </dev/null || "$1" "$name" "$package" "$what"
	done
}
package_of() { echo "$2"; }
line_of() { echo "$1 $2 $3"; }

packages=$(each package_of | sort -u | tr '\n' ' ')
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && have apt-get; then
	echo "installing: $packages" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update >"$scratch/apt" 2>&1
	for p in $packages; do # one by one, so that one that does not exist does not stop the others
		apt-get -q -y install --no-install-recommends "$p" >>"$scratch/apt" 2>&1 ||
			{ echo "apt-get install $p failed:"; tail -n 3 "$scratch/apt"; } >&2
	done
	hash -r
fi
each line_of
exit 0
