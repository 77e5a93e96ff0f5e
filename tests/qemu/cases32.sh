# SPDX-License-Identifier: MIT
# Sourced by run.sh: the cases of 32-bit kernel images, with PAE and without.
# shellcheck shell=sh disable=SC2034,SC2154 # variables are run.sh's

if on i386_pae; then
	cpu='-cpu max' paging=PAE cpus=4 high=6G high_mb='[67][0-9][0-9][0-9]MB' rights='no W\+X pages found'
else
	cpu='-cpu pentium3' paging='2 levels' cpus=2 high=2G high_mb='1[01][0-9][0-9]MB' rights='NX missing'
fi

# All unit tests where there is some high memory; those of high memory where most of it is. (A machine is looked at as a
# whole again and again, so a small one whose direct map is made smaller.)
boot all "$(machine 208M $cpus) $cpu" "$exit_port vmalloc=880M octavo.test=all" 33 "$tests_pass" '!FAIL' "smp: $cpus of $cpus CPUs" \
	"MMU: $paging" 'HighMem  \[mem' '[1-9][0-9]+MB HIGHMEM available' "$rights"
boot one-cpu "$(machine 512M 1) $cpu" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'smp: 1 of 1 CPUs' 'HighMem  empty'
boot high "$(machine $high $cpus) $cpu" "$exit_port octavo.test=kmap" 33 "$tests_pass" '!FAIL' '!SKIP.*high' "smp: $cpus of $cpus CPUs" \
	"$high_mb HIGHMEM available"
boot high-pc "$(machine $high $cpus) $cpu" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' "smp: $cpus of $cpus CPUs"
boot high-pages "$(machine $high 1) $cpu" "$exit_port octavo.test=page_alloc" 33 "$tests_pass" '!FAIL'
# Firmware's tables right below 3.5 GiB, far from what the boot tables show.
boot high-acpi "$(machine 3500M 2) $cpu" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'smp: 2 of 2 CPUs'

# Processors that lack something, or more memory than the tables can say.
if on i386_pae; then
	boot without-nx "$(machine 256M 2) -cpu max,nx=off" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' 'NX missing'
	boot without-pge "$(machine 256M 2) -cpu max,pge=off" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL'
	refused='-cpu pentium' says='this processor has no PAE'
else
	boot beyond-4g "$(machine 6G 2) $cpu" "$exit_port octavo.test=pc." 33 "$tests_pass" '!FAIL' \
		'usable lies beyond max_arch_pfn: not used' 'HIGHMEM available'
	refused='-cpu pentium' says='this processor lacks CMPXCHG8B or CMOV'
fi
limit=4
boot refused "$(machine 64M 1) $refused" '' 124 "Octavo: cannot start: $says" '!HIGHMEM'
limit=

# Faults.
fault() { # NAME PATTERN...: a boot with octavo.crash=NAME
	kind=$1
	shift
	boot "fault-$kind" "$(machine 128M 2) $cpu" "$exit_port octavo.crash=$kind" 37 'EIP: 0008:c0[2-7]' 'CR3: ' \
		'Call trace:' ' pc_start\+' '!Panic inside' "$@"
}
E='BUG: unable to handle page fault for address: '
fault page-fault "${E}0dead000" '#PF: supervisor write access in kernel mode' '#PF: error_code\(0x0002\) - not-present page' \
	'Exception 14 \(page fault\) on CPU 0 at address 0dead000' 'EIP: 0008:c02.* crash\+'
fault null 'BUG: kernel NULL pointer dereference, address: 00000008' '#PF: supervisor read access'
fault text "${E}c0200000" '#PF: supervisor write access' 'permissions violation' 'kernel text'
fault rodata "${E}c0" '#PF: supervisor write access' 'permissions violation' 'kernel rodata'
! on i386_pae || fault data "${E}c0" '#PF: supervisor instruction fetch' 'permissions violation' 'kernel data'
fault vmalloc "${E}c" '#PF: supervisor read access' 'not-present page' 'guard page behind .*vmalloc'
fault stack 'Exception 8 \(double fault\) on CPU 0' 'Stack overflow: .* guard page below the thread stack of CPU 0'
boot stack-of-other "$(machine 128M 2) $cpu" "$exit_port octavo.crash=stack-1" 37 'Exception 8 \(double fault\) on CPU 1' \
	'Stack overflow: .* guard page below the thread stack of CPU 1' ' overflow_stack\+'
fault protection 'Exception 13 \(general protection fault\)' 'selector 0xfff8 of the GDT'

boot power-off "$(machine 64M 1) $cpu" 'octavo.test=format.' 0 "$tests_pass" '!does not power off'
