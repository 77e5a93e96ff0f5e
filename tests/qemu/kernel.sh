#!/bin/sh
# SPDX-License-Identifier: MIT
# The reference kernel with BusyBox and programs. Usage: tests/qemu/kernel.sh [BUILD-DIR] [PATTERN]
# Each case says its name; its log is BUILD-DIR/qemu/kernel-NAME.log. Ends with "N passed, N failed, N skipped".
# Needs build/kernel.elf and build/user/* (make kernel user-programs), and a static busybox.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/qemu/kernel_cases.sh

# The shell, on one CPU and on several; on one with a thread that the core asks for before there is an init.
early=kmemleak=on
for cpus in 1 4; do
	if wanted shell-$cpus; then
		tools/initramfs.sh "$out/shell-test.cpio" tests/qemu/shell-init.sh || exit 2
		boot shell-$cpus 256M $cpus "$out/shell-test.cpio" $early </dev/null
		judge shell-$cpus "$status" 33 '^shell: passed' '!^FAIL' "$clean"
	fi
	early=
done

# run_programs NAME MEMORY COMMAND...: commands of an init, one a line; programs of tests/user are those they begin with.
# Each says at its end that it passed.
run_programs() {
	name=$1
	memory=$2
	programs=
	patterns=
	shift 2
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		printf '%s\n' "$@" 'poweroff -f'
	} >"$out/$name-init.sh"
	for command; do
		programs="$programs $build/user/${command%% *}"
		patterns="$patterns ^${command%% *}:.passed"
	done
	# shellcheck disable=SC2086 # words
	tools/initramfs.sh "$out/$name.cpio" "$out/$name-init.sh" $programs || exit 2
	limit=${limit:-300} boot "$name" "$memory" 2 "$out/$name.cpio" </dev/null
	# shellcheck disable=SC2086
	judge "$name" "$status" 33 $patterns '!^FAIL' "${dirty:-$clean}"
}

# Each program of tests/user that finds nothing to complain of, as Linux runs it, too: all but those of the cases below.
if wanted programs; then
	all=
	for source in tests/user/*.c; do
		program=$(basename "$source" .c)
		case $program in
		exhaust | faults | fuzz | oom | storm) ;;
		*) all="$all $program" ;;
		esac
	done
	# shellcheck disable=SC2086 # words
	run_programs programs 512M $all
fi

# What ends programs must not end the kernel, nor stay: random calls, kills in mid-action, failing allocations, and all
# of something taken. Allocations that fail are told with a call trace.
fatal='!BUG:|Oops|Kernel panic|something is still mapped'
if wanted robust-fuzz; then run_programs robust-fuzz 512M 'fuzz 1 40'; fi
if wanted robust-storm; then run_programs robust-storm 512M 'storm 1 8'; fi
if wanted robust-faults; then dirty=$fatal run_programs robust-faults 512M 'faults 1 15'; fi
if wanted robust-oom; then dirty=$fatal run_programs robust-oom 256M oom; fi
if wanted robust-exhaust; then dirty=$fatal run_programs robust-exhaust 256M exhaust; fi

# Where it is asked for, or nobody is left who could end, the machine stops, and says why.
for how in 1 2; do
	if wanted "oom-panic-$how"; then
		printf '#!/bin/sh\nexport PATH=/bin\necho %s >/proc/sys/vm/panic_on_oom\noom hog\n' $how >"$out/oom-init.sh"
		tools/initramfs.sh "$out/oom.cpio" "$out/oom-init.sh" "$build/user/oom" || exit 2
		boot "oom-panic-$how" 128M 2 "$out/oom.cpio" </dev/null
		judge "oom-panic-$how" "$status" 37 'oom invoked oom-killer: gfp_mask=0x[0-9a-f]+\(GFP_' \
			'Kernel panic - not syncing: Out of memory: (system-wide|compulsory) panic_on_oom is enabled' \
			'!Killed process'
	fi
done
if wanted oom-init; then
	printf '#!/bin/sh\nexec /bin/oom hog\n' >"$out/oom-init.sh"
	tools/initramfs.sh "$out/oom.cpio" "$out/oom-init.sh" "$build/user/oom" || exit 2
	boot oom-init 128M 2 "$out/oom.cpio" </dev/null
	judge oom-init "$status" 37 'Out of memory and no killable processes\.\.\.' \
		'Kernel panic - not syncing: System is deadlocked on memory' '!Killed process'
fi

# Programs of other kinds: static at any address, dynamic by an interpreter, of another C library; and this system's own,
# with the interpreter and libraries that they have here. They come in a second archive behind the first.
kinds() {
	root=$out/kinds
	rm -rf "$root"
	mkdir -p "$root/kinds"
	for kind in static-pie dynamic fixed musl; do
		case $kind in
		static-pie) compile="${CC:-cc} -static-pie" ;;
		dynamic) compile="${CC:-cc} -pie -fPIE" ;;
		fixed) compile="${CC:-cc} -no-pie" ;;
		musl)
			if ! command -v musl-gcc >/dev/null; then
				echo "SKIP kernel.kinds, musl: no musl-gcc (Debian: musl-tools)"
				skipped=$((skipped + 1))
				continue
			fi
			compile="musl-gcc -static"
			;;
		esac
		for program in process signal descriptors; do
			# musl's dup3() tries nothing with flags it does not know.
			[ $kind-$program != musl-descriptors ] || continue
			$compile -std=gnu11 -O2 -w -pthread -o "$root/kinds/$program-$kind" "tests/user/$program.c" || return 1
			echo "/kinds/$program-$kind >/tmp/out && echo $kind $program goes || cat /tmp/out"
		done
	done >"$out/kinds-commands"
	for program in /bin/ls /bin/bash /usr/bin/perl; do
		mkdir -p "$root$(dirname "$program")"
		cp -L "$program" "$root/kinds/"
		for library in $(ldd "$program" | grep -o '/[^ ]*'); do
			mkdir -p "$root$(dirname "$library")"
			cp -L "$library" "$root$library"
		done
	done
	cat >"$root/kinds/script" <<-'END'
		my @a = map { $_ * 2 } 1..50000;
		print "perl says $a[-1]\n";
		exit(fork() ? (wait() > 0 ? 0 : 1) : 0);
	END
	for program in "$root"/kinds/*-dynamic; do
		for library in $(ldd "$program" | grep -o '/[^ ]*'); do
			cp -L "$library" "$root$library"
		done
	done
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		sed '/^SKIP/d' "$out/kinds-commands"
		echo '/kinds/ls -l /kinds/ls'
		echo '/lib64/ld-linux-x86-64.so.2 /kinds/ls -d /proc/self'
		echo "/kinds/bash -c 'x=(1 2 3); echo bash has \${#x[@]} words; for i in 1 2 3; do (exit \$i); done; echo status \$?'"
		echo '/kinds/perl /kinds/script && echo perl went'
		echo 'poweroff -f'
	} >"$out/kinds-init.sh"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$out/second.cpio"
	tools/initramfs.sh "$out/kinds.cpio" "$out/kinds-init.sh" && cat "$out/second.cpio" >>"$out/kinds.cpio"
	rm -rf "$root" "$out/second.cpio"
}
if wanted kinds; then
	kinds || exit 2
	grep '^SKIP' "$out/kinds-commands"
	limit=300 boot kinds 512M 2 "$out/kinds.cpio" </dev/null
	patterns=$(sed -n 's/.* echo \([a-z-]* [a-z]*\) goes.*/^\1.goes/p' "$out/kinds-commands" | tr ' ' .)
	# shellcheck disable=SC2086
	judge kinds "$status" 33 $patterns '^-rwxr-xr-x .* /kinds/ls$' '^/proc/self$' '^bash has 3 words$' '^status 3$' \
		'^perl says 100000$' '^perl went$' '!^FAIL' "$clean"
fi

# A core dump, read by the tools that people have.
if wanted core; then
	printf '#!/bin/sh\nexport PATH=/bin\ncore keep\nls -l /tmp\ndd if=/tmp/core.kept of=/dev/vda bs=64k 2>&1\npoweroff -f\n' \
		>"$out/core-init.sh"
	tools/initramfs.sh "$out/core.cpio" "$out/core-init.sh" "$build/user/core" || exit 2
	rm -f "$out/core.img"
	truncate -s 128M "$out/core.img"
	drive="-drive file=$out/core.img,if=none,id=d,format=raw -device virtio-blk-pci,drive=d"
	boot core 512M 2 "$out/core.cpio" </dev/null
	drive=
	readelf -hnW "$out/core.img" >>"$out/kernel-core.log" 2>&1
	if command -v gdb >/dev/null; then
		gdb -batch -ex 'info threads' -ex bt "$build/user/core" "$out/core.img" >>"$out/kernel-core.log" 2>&1
		judge core "$status" 33 '^keep: passed' 'Type: +CORE' 'NT_SIGINFO' 'NT_FILE' 'NT_AUXV' 'NT_X86_XSTATE' \
			'signal SIGSEGV' 'Thread .*\(LWP [0-9]+\)' '^#0 .* fail_here \(signo=11\)' '^#1 .* end_by ' "$clean"
	else
		skip core 'backtrace: no gdb'
		judge core "$status" 33 '^keep: passed' 'Type: +CORE' 'NT_SIGINFO' 'NT_FILE' 'NT_AUXV' 'NT_X86_XSTATE' "$clean"
	fi
	rm -f "$out/core.img"
fi

# Archives that are torn, compressed, not there.
bad() { # NAME PATTERN: $out/bad.cpio
	boot "$1" 128M 1 "$out/bad.cpio" </dev/null
	judge "$1" "$status" 37 "$2" 'Kernel panic - not syncing'
}
tools/initramfs.sh "$out/small.cpio" tests/qemu/shell-init.sh
if wanted initramfs-torn; then
	head -c 500000 "$out/small.cpio" >"$out/bad.cpio"
	bad initramfs-torn 'initramfs: at byte [0-9]+ of 500000: the archive ends within a file.s contents'
fi
if wanted initramfs-gzip; then
	gzip -c "$out/small.cpio" >"$out/bad.cpio"
	bad initramfs-gzip 'initramfs: at byte 0 of [0-9]+: it is compressed with gzip, not supported'
fi
if wanted initramfs-noise; then
	head -c 3000 "$build/kernel.elf" >"$out/bad.cpio"
	bad initramfs-noise 'initramfs: at byte 0 of 3000: there is no cpio archive'
fi
if wanted initramfs-two; then
	mkdir -p "$out/second/etc"
	printf '#!/bin/sh\necho second init, $(cat /etc/second) $(wc -l </etc/passwd)\n/bin/poweroff -f\n' >"$out/second/init"
	chmod 755 "$out/second/init"
	echo 'second file' >"$out/second/etc/second"
	(cd "$out/second" && find . | busybox cpio -o -H newc 2>/dev/null) >"$out/second.cpio"
	cat "$out/small.cpio" "$out/second.cpio" >"$out/two.cpio"
	boot initramfs-two 128M 1 "$out/two.cpio" </dev/null
	judge initramfs-two "$status" 33 '^second init, second file 2$' "$clean"
	rm -r "$out/second"
fi

# A disk: read, written through the cache, and what is on it afterwards.
if wanted disk; then
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		printf 'head -n 1 /dev/vda\nblockdev --getsize64 /dev/vda\n'
		printf 'dd if=/bin/busybox of=/dev/vda bs=4k count=100 seek=10 conv=notrunc 2>/dev/null\nsync\n'
		printf 'dd if=/dev/zero of=/dev/vda bs=64k seek=63 2>&1 | tail -n 1\npoweroff -f\n'
	} >"$out/disk-init.sh"
	tools/initramfs.sh "$out/disk.cpio" "$out/disk-init.sh" || exit 2
	{
		echo 'the first line of the disk'
		head -c 4194277 /dev/zero
	} >"$out/disk.img"
	drive="-drive file=$out/disk.img,if=none,id=d,format=raw -device virtio-blk-pci,drive=d"
	boot disk 256M 2 "$out/disk.cpio" </dev/null
	written=$(dd if="$out/disk.img" bs=4k skip=10 count=100 2>/dev/null | cksum)
	echo "on the disk: $written" >>"$out/kernel-disk.log"
	judge disk "$status" 33 '^the first line of the disk$' '^4194304$' '^1\+0 records out$' \
		"on the disk: $(head -c 409600 "$(command -v busybox)" | cksum)" "$clean"
	drive=
fi

# Two disks, one for reading only, one on which a write of sector 8 fails, and RAM disks: each has its own bytes, and an
# error reaches who syncs. (Of a third disk the BIOS keeps tables where QEMU has put the archive.)
if wanted disks; then
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		printf 'head -n 1 /dev/vda\nhead -n 1 /dev/vdb\n'
		printf 'dd if=/dev/vda of=/dev/vdb bs=64k skip=1 seek=1 count=48 conv=notrunc,fsync 2>/dev/null && echo copied\n'
		printf 'cmp -n 3145728 /dev/vda /dev/vdb 65536 65536 && echo the same\n'
		printf 'dd if=/dev/zero of=/dev/vda bs=4k count=1 || echo read only\n'
		printf 'dd if=/dev/zero of=/dev/vdb bs=4k count=4 conv=notrunc,fsync 2>&1\n'
		printf 'dd if=/dev/zero of=/dev/vdb bs=4k seek=300 count=4 conv=notrunc,fsync 2>/dev/null && echo sound there\n'
		printf 'dd if=/dev/vda of=/dev/ram1 bs=64k count=4 conv=notrunc,fsync 2>/dev/null\n'
		printf 'cmp -n 262144 /dev/vda /dev/ram1 && echo in memory\nblockdev --getsz /dev/ram1\n'
		printf 'ls /dev | grep -c ^ram\ncat /proc/partitions /proc/diskstats\npoweroff -f\n'
	} >"$out/disks-init.sh"
	tools/initramfs.sh "$out/disks.cpio" "$out/disks-init.sh" || exit 2
	for disk in a b; do
		{
			echo "the disk vd$disk"
			head -c 4194291 /dev/urandom
		} >"$out/disk-$disk.img"
	done
	printf '[inject-error]\nevent = "write_aio"\nerrno = "5"\niotype = "write"\nsector = "8"\n' >"$out/blkdebug.conf"
	drive="-drive file=$out/disk-a.img,if=none,id=a,format=raw,readonly=on -device virtio-blk-pci,drive=a"
	drive="$drive -drive file=blkdebug:$out/blkdebug.conf:$out/disk-b.img,if=none,id=b,format=raw,werror=report"
	drive="$drive -device virtio-blk-pci,drive=b"
	boot disks 256M 2 "$out/disks.cpio" 'brd.rd_nr=3 ramdisk_size=2048' </dev/null
	judge disks "$status" 33 '^the disk vda' '^the disk vdb' '^copied$' '^the same$' '^read only$' \
		'^dd:.*(I/O|Input/output) error' '^sound there$' '^in memory$' '^4096$' '^3$' \
		'^ *1 +2 +2048 ram2$' '^ *254 +16 +4096 vdb$' "$clean"
	rm -f "$out"/disk-[ab].img
	drive=
fi

# Nobody asks for it to be written: it is when it is old enough, an error is told to who asks next, and once; swap areas
# on a RAM disk come and go.
if wanted writeback; then
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		printf 'cd /proc/sys/vm; echo 100 >dirty_writeback_centisecs; echo 200 >dirty_expire_centisecs\n'
		printf 'dirty() { grep "^nr_dirty " /proc/vmstat; }\n'
		printf 'exec 3<>/dev/vda 4<>/dev/ram0\n' # the last close would write
		printf 'dd if=/bin/busybox of=/dev/vda bs=4k count=100 seek=10 conv=notrunc 2>/dev/null\n'
		printf 'dd if=/dev/zero of=/dev/vda bs=4k count=2 conv=notrunc 2>/dev/null\n'
		printf 'echo first: $(dirty)\nsleep 5\necho then: $(dirty)\n'
		printf 'ask() { dd if=/dev/null of=/dev/vda conv=notrunc,fsync 2>/dev/null; }\nask || echo told\nask && echo once\n'
		printf 'echo 1048576 >dirty_bytes; echo 262144 >dirty_background_bytes; grep threshold /proc/vmstat\n'
		printf 'dd if=/dev/zero of=/dev/ram0 bs=64k count=512 2>/dev/null\necho behind: $(dirty)\n'
		printf 'mkswap /dev/ram0 >/dev/null && swapon /dev/ram0 && cat /proc/swaps\n'
		printf 'swapon /dev/ram0 || echo busy\nswapoff /dev/ram0 && echo "areas: $(wc -l </proc/swaps)"\n'
		printf 'cat /proc/diskstats\npoweroff -f\n'
	} >"$out/writeback-init.sh"
	tools/initramfs.sh "$out/writeback.cpio" "$out/writeback-init.sh" || exit 2
	head -c 4194304 /dev/zero >"$out/writeback.img"
	printf '[inject-error]\nevent = "write_aio"\nerrno = "5"\niotype = "write"\nsector = "8"\n' >"$out/blkdebug.conf"
	drive="-drive file=blkdebug:$out/blkdebug.conf:$out/writeback.img,if=none,id=d,format=raw,werror=report"
	drive="$drive -device virtio-blk-pci,drive=d"
	boot writeback 256M 2 "$out/writeback.cpio" 'brd.rd_nr=1 ramdisk_size=65536' </dev/null
	written=$(dd if="$out/writeback.img" bs=4k skip=10 count=100 2>/dev/null | cksum)
	echo "on the disk: $written" >>"$out/kernel-writeback.log"
	judge writeback "$status" 33 '^first: nr_dirty [1-9]' '^then: nr_dirty 0$' '^told$' '^once$' \
		"on the disk: $(head -c 409600 "$(command -v busybox)" | cksum)" '^nr_dirty_threshold 256$' \
		'^nr_dirty_background_threshold 64$' '^behind: nr_dirty [0-9]{1,3}$' \
		'^/dev/ram0 +partition\s+65532\s+0\s+-2$' '^busy$' '^areas: 1$' "$clean"
	rm -f "$out/writeback.img"
	drive=
fi

# A disk larger than memory: read, copied onto itself, and what is on it afterwards.
if wanted disk-large; then
	{
		printf '#!/bin/sh\nexport PATH=/bin\n'
		printf 'md5sum </dev/vda\n'
		printf 'dd if=/dev/vda of=/dev/vda bs=64k count=1280 seek=1280 conv=notrunc 2>&1 | head -n 1\n'
		printf 'dd if=/dev/vda bs=1k count=81920 2>/dev/null | md5sum\n'
		printf 'cmp -n 83886080 /dev/vda /dev/vda 0 83886080 && echo both halves are the same\n'
		printf 'grep -E "^(MemFree|Buffers|nr_vmscan_write|pgpg)" /proc/meminfo /proc/vmstat\n'
		printf 'sync\npoweroff -f\n'
	} >"$out/large-init.sh"
	tools/initramfs.sh "$out/large.cpio" "$out/large-init.sh" || exit 2
	awk 'BEGIN { for (i = 0; i < 10485760; i++) printf "%015d\n", i * 2654435761 % 1000000007 }' >"$out/large.img"
	whole=$(md5sum <"$out/large.img")
	half=$(head -c 83886080 "$out/large.img" | md5sum)
	drive="-drive file=$out/large.img,if=none,id=d,format=raw -device virtio-blk-pci,drive=d"
	limit=300 boot disk-large 64M 2 "$out/large.cpio" </dev/null
	echo "first half: $(head -c 83886080 "$out/large.img" | md5sum)" >>"$out/kernel-disk-large.log"
	echo "second half: $(tail -c 83886080 "$out/large.img" | md5sum)" >>"$out/kernel-disk-large.log"
	judge disk-large "$status" 33 "^$whole\$" '^1280\+0 records in$' "^$half\$" '^both halves are the same$' \
		"^first half: $half\$" "^second half: $half\$" '!page allocation failure' "$clean"
	rm -f "$out/large.img"
	drive=
fi

# Someone at the terminal: a typing error put right, ^C, ^Z, ^D, and leaving.
if wanted terminal; then
	tools/initramfs.sh "$out/terminal.cpio" tools/init-shell.sh
	: >"$out/kernel-terminal.log.raw"
	{
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
			grep -q '# ' "$out/kernel-terminal.log.raw" && break
			sleep 0.5
		done
		type_() { # TEXT: it, and time for what it does
			printf "$1"
			sleep 0.7
		}
		type_ 'echo helo\blo there\r'
		type_ 'sleep 100\r'
		type_ '\003'
		type_ 'echo status $?\r'
		type_ 'cat\r'
		type_ 'a linx\177e\r'
		type_ '\004'
		type_ 'sleep 50\r'
		type_ '\032'
		type_ 'jobs; kill -9 %%1\r'
		type_ 'tty; stty size\r'
		type_ 'exit\r'
		sleep 3
	} | {
		boot terminal 256M 2 "$out/terminal.cpio"
		echo "$status" >"$out/kernel-terminal.status"
	}
	judge terminal "$(cat "$out/kernel-terminal.status")" 33 '^hello there$' '^status 130$' '^a line$' \
		'\[1\]\+  Stopped +sleep 50' '^/dev/ttyS0$' '^24 80$' 'reboot: Power down' "$clean"
fi

finish
