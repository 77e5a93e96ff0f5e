#!/bin/sh
# SPDX-License-Identifier: MIT
# A bootable CD of a kernel image with GRUB: iso.sh ELF ISO "COMMAND LINE". Needs grub-mkrescue, xorriso, mtools.
set -eu
elf=$1
iso=$2
append=$3
tree=$iso.tree
rm -rf "$tree"
mkdir -p "$tree/boot/grub"
cp "$elf" "$tree/boot/octavo.elf"
cat >"$tree/boot/grub/grub.cfg" <<END
set timeout=0
menuentry octavo {
	multiboot2 /boot/octavo.elf $append
	boot
}
END
grub-mkrescue -o "$iso" "$tree"
rm -rf "$tree"
