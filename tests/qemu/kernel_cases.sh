# SPDX-License-Identifier: MIT
# Cases of the reference kernel, as kernel.sh and pressure.sh have them: read in by those, with their arguments.
# shellcheck shell=sh disable=SC2034 # what is set here is used there
suite=kernel
log_of=kernel-
# Who powers off has every page frame looked at.
passes='^\[.*\] verify: 0 findings$'
drive=
. tests/qemu/judge.sh

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
