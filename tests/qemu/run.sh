#!/bin/sh
# SPDX-License-Identifier: MIT
# The kernel image on emulated PCs. Usage: tests/qemu/run.sh [BUILD-DIR] [PATTERN]
# Each case says its name; its log is BUILD-DIR/qemu/NAME.log. Ends with "N passed, N failed, N skipped".
#
# The command of a case is, for example,
#   qemu-system-x86_64 -display none -nodefaults -serial stdio -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 \
#     -m 512M -smp 4 -kernel build/octavo.elf -append "octavo.exit=0xf4 octavo.test=all"
# and with octavo.exit=0xf4 QEMU ends with status 33 (passed), 35 (failed) or 37 (panic).
set -u
cd "$(dirname "$0")/../.." || exit 2
suite=qemu
. tests/qemu/judge.sh
elf=$build/octavo.elf
arch=$(cat "$build/octavo.arch") || exit 2
exit_port='octavo.exit=0xf4'

# on ARCH...: is the image for one of these?
on() {
	for a; do [ "$a" = "$arch" ] && return 0; done
	return 1
}

# qemu NAME OPTION...: runs it with the case's log; the status is in $status.
qemu() {
	log=$out/$1.log
	shift
	timeout "${limit:-450}" qemu-system-x86_64 -display none -nodefaults -serial stdio -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 "$@" >"$log.raw" 2>&1
	status=$?
	tr -d '\r' <"$log.raw" >"$log"
	rm -f "$log.raw"
}

# boot NAME "QEMU OPTIONS" "COMMAND LINE" WANTED-STATUS PATTERN...
boot() {
	wanted "$1" || return 0
	case_name=$1
	options=$2
	append=$3
	shift 3
	# shellcheck disable=SC2086 # the options are words
	qemu "$case_name" $options -kernel "$elf" -append "$append" </dev/null
	want=$1
	shift
	judge "$case_name" "$status" "$want" "$@"
}

machine() { tests/qemu/machine.sh "$@"; }
tests_pass='[1-9][0-9]* passed, 0 failed'

# GRUB, multiboot2.
grub() {
	if ! command -v grub-mkrescue >/dev/null || ! command -v xorriso >/dev/null; then
		skip grub 'grub-mkrescue or xorriso is not installed'
	elif wanted grub; then
		if tests/qemu/iso.sh "$elf" "$out/octavo.iso" "$exit_port octavo.test=pc." >"$out/grub.log" 2>&1; then
			# shellcheck disable=SC2046
			qemu grub $(machine 512M 2) -cdrom "$out/octavo.iso" </dev/null
		else
			status=iso
		fi
		judge grub "$status" 33 'loaded by GRUB' "$tests_pass" '!FAIL' 'smp: 2 of 2 CPUs'
	fi
}

if on i386 i386_pae; then
	. tests/qemu/cases32.sh
	grub
	finish
fi

# The processor that the image is for.
case $arch in
x86_64_la57) cpu='-cpu max,la57=on' paging='5 levels' ;;
*) cpu='-cpu qemu64' paging='4 levels' ;;
esac

# Sizes, CPUs, nodes: the unit tests on bare metal. With one level more, or another heap (run.sh), once is enough for
# all of them, with two CPUs, which take half as long to emulate as four.
if on x86_64_la57 || [ "$only" = two-cpus ]; then
	boot two-cpus "$(machine 128M 2) $cpu" "$exit_port octavo.test=all" 33 "$tests_pass" '!FAIL' 'smp: 2 of 2 CPUs' \
		"MMU: $paging"
fi
on x86_64 && boot small "$(machine 64M 1) $cpu" "$exit_port octavo.test=all" 33 "$tests_pass" '!FAIL' 'smp: 1 of 1 CPUs' "MMU: $paging"
on x86_64 && boot four-cpus "$(machine 256M 4) $cpu" "$exit_port octavo.test=all" 33 "$tests_pass" '!FAIL' 'smp: 4 of 4 CPUs'
boot big "$(machine 16G 8 4) -cpu max,la57=on" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'smp: 8 of 8 CPUs' \
	'Fallback order for Node 3: 3 2 1 0' 'Built 4 zonelists' '1 GiB pages' 'SMEP on, SMAP on' \
	'Using GB pages for direct mapping'
if on x86_64; then
	boot two-nodes "$(machine 256M 2 2)" "$exit_port octavo.test=all" 33 "$tests_pass" '!FAIL' \
		'Fallback order for Node 0: 0 1' 'Fallback order for Node 1: 1 0' 'SRAT: Node 1 PXM 1' 'smp: 2 of 2 CPUs'
	boot big-without-1g-pages "$(machine 16G 2) -cpu max,pdpe1gb=off" "$exit_port octavo.test=pc." 33 "$tests_pass" \
		'!FAIL' 'large pages' '!Using GB pages'
	boot without-nx "$(machine 256M 2) -cpu max,nx=off" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'NX missing'
	boot q35 "$(machine 512M 2) -machine q35" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'smp: 2 of 2 CPUs'
fi

# Images for other processors than the one there.
if on x86_64_la57; then
	limit=4
	boot refused "$(machine 64M 1) -cpu max,la57=off" '' 124 \
		'Octavo: cannot start: this image is for page tables of 5 levels, and the processor has none' '!Linux version'
	limit=
fi

# Faults: each report names the address, the access and what is there, and then the processor's state.
fault() { # NAME PATTERN...: a boot with octavo.crash=NAME
	kind=$1
	shift
	boot "fault-$kind" "$(machine 128M 2) $cpu" "$exit_port octavo.crash=$kind" 37 'RIP: 0008:ffffffff8' 'CR3: ' \
		'Call trace:' ' pc_start\+' '!Panic inside' "$@"
}
E='BUG: unable to handle page fault for address: '
fault page-fault "${E}000000000dead000" '#PF: supervisor write access in kernel mode' '#PF: error_code\(0x0002\) - not-present page' \
	'Exception 14 \(page fault\) on CPU 0 at address 000000000dead000' 'RIP: 0008:ffffffff8.* crash\+'
fault null 'BUG: kernel NULL pointer dereference, address: 0000000000000008' '#PF: supervisor read access'
fault text "${E}ffffffff80200000" '#PF: supervisor write access' 'permissions violation' 'kernel text'
fault rodata "${E}ffffffff80" '#PF: supervisor write access' 'permissions violation' 'kernel rodata'
fault data "${E}ffffffff80" '#PF: supervisor instruction fetch' 'permissions violation' 'kernel data'
fault vmalloc "${E}ff" '#PF: supervisor read access' 'not-present page' 'guard page behind .*vmalloc'
fault non-canonical 'non-canonical address 0x8000000000001000'
fault stack 'Exception 8 \(double fault\)' 'Stack overflow: .* guard page below the thread stack of CPU 0'

# What follows is the same with any page tables.
on x86_64 || finish

# Firmware tables absent and torn.
boot no-acpi "$(machine 512M 2) -machine acpi=off" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' \
	'ACPI: no root pointer' 'smp: 1 of 1 CPUs'
printf '\001\000\000\000\000\000\000\000\000\000\000\000\001\050\000\000\000' >"$out/torn.srat"
printf '\002\000\000\000\000\000\000\000\012\001\001\012' >"$out/torn.slit"
boot torn-acpi "$(machine 512M 2) -acpitable sig=SRAT,data=$out/torn.srat -acpitable sig=SLIT,data=$out/torn.slit" \
	"$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'ACPI: SRAT .* is torn; the rest is ignored' \
	'ACPI: SLIT: distance from 0 to 1 is 1; the table is ignored' 'smp: 2 of 2 CPUs'

# Reports of other exceptions.
boot stack-of-other "$(machine 128M 2) $cpu" "$exit_port octavo.crash=stack-1" 37 'Exception 8 \(double fault\) on CPU 1' \
	'Stack overflow: .* guard page below the thread stack of CPU 1' ' pc_ap_entry\+'
boot divide "$(machine 64M 1)" "$exit_port octavo.crash=divide" 37 'Exception 0 \(divide error\)'
boot opcode "$(machine 64M 1)" "$exit_port octavo.crash=opcode" 37 'Exception 6 \(invalid opcode\)'
boot protection "$(machine 64M 1)" "$exit_port octavo.crash=protection" 37 'Exception 13 \(general protection fault\)'
boot panic-resets "$(machine 64M 1)" "panic=-1 octavo.crash=panic" 0 'Kernel panic on CPU 0: octavo.crash'

# Powering off by ACPI: no exit device on the command line.
boot power-off "$(machine 64M 1)" 'octavo.test=format.' 0 "$tests_pass" '!does not power off'
boot power-off-q35 "$(machine 64M 1) -machine q35" 'octavo.test=format.' 0 "$tests_pass" '!does not power off'

# Instructions are counted exactly: two runs agree to the last digit.
icount='-accel tcg,thread=single -cpu max,-erms,-fsrm,la57=off -m 1536 -smp 1 -seed 42
	-rtc base=2024-01-01,clock=vm -icount shift=0,align=off,sleep=off'
boot bench-1 "$icount" "$exit_port bench.clock=tsc octavo.bench=alloc_pages.KERNEL.o0" 33 \
	'^R K:alloc_pages\.KERNEL\.o0\.pair +[0-9.]+ +[0-9.]+ insn/pair$' '^R K:.*bulk_alloc\(16384\)' '!o3'
boot bench-2 "$icount" "$exit_port bench.clock=tsc octavo.bench=alloc_pages.KERNEL.o0" 33 '^R K:.*random_free'
if wanted bench-repeats; then
	grep '^R ' "$out/bench-1.log" >"$out/bench-repeats.log"
	grep '^R ' "$out/bench-2.log" | cmp -s - "$out/bench-repeats.log"
	judge bench-repeats $? 0 '^R '
fi
boot bench-unknown "$(machine 256M 1)" "$exit_port octavo.bench=nosuch" 35 'octavo.bench=nosuch: no such bench'

# The monitor, typed at once it asks: a line with a typing error put right, one dropped, commands, the end.
if wanted monitor; then
	: >"$out/monitor.log.raw"
	{
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			grep -q 'octavo> ' "$out/monitor.log.raw" && break
			sleep 0.5
		done
		printf 'nonsense\003cat /proc/buddinfo\b\b\b\byinfo\n'
		printf 'cat /proc/meminfo\nstress 2000\nverify\nquit\n'
		sleep 5
	} | { # shellcheck disable=SC2046
		qemu monitor $(machine 512M 4 2) -kernel "$elf" -append "$exit_port"
		echo "$status" >"$out/monitor.status"
	}
	judge monitor "$(cat "$out/monitor.status")" 33 'octavo> nonsense\^C' '^Node 0, zone +DMA32 ' \
		'^MemTotal: +[0-9]+ kB$' '!unknown command'
fi

grub
finish
