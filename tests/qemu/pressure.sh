#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs on the reference kernel, with more demand than memory and a swap area on a disk: what they compute is what
# they compute here. Usage: tests/qemu/pressure.sh [BUILD-DIR] [PATTERN]      as kernel.sh
# Needs build/kernel.elf (make kernel); a case whose programs are not here is skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/qemu/kernel_cases.sh

scratch=$out/pressure
rm -rf "$scratch"
mkdir -p "$scratch"

# can NAME PROGRAM...: is it wanted, and is all here that it needs?
can() {
	wanted "$1" || return 1
	name=$1
	shift
	for program in "${BUSYBOX:-busybox}" /sbin/mkswap "$@"; do
		command -v "$program" >/dev/null || { skip "$name" "no $program" && return 1; }
	done
}

# bring PROGRAM...: into $scratch/tree, in the places they have here, with their libraries
bring() {
	for program; do
		for file in "$program" $(ldd "$program" | grep -o '/[^ ]*'); do
			mkdir -p "$scratch/tree$(dirname "$file")"
			cp -L "$file" "$scratch/tree$file"
		done
	done
}

# under_pressure NAME MEMORY SETUP PATTERN...: $scratch/tree is a second disk's tar archive; its /run.sh says what it found
under_pressure() {
	name=$1
	memory=$2
	setup=$3
	shift 3
	cat >"$scratch/init.sh" <<-END
		#!/bin/sh
		export PATH=/bin:/usr/bin
		swapon /dev/vda || echo FAIL swapon
		$setup
		mkdir /new && mount -t tmpfs -o size=256M new /new && tar -C /new -xf /dev/vdb || echo FAIL tar
		mkdir -p /new/bin /new/dev /new/tmp && cp -P /bin/* /new/bin && mount -t devtmpfs new /new/dev || echo FAIL bin
		time chroot /new /bin/sh /run.sh
		cat /proc/swaps
		grep -E '^(pswp|zswp|pgsteal|workingset_refault|allocstall|oom_kill)' /proc/vmstat
		umount /new/dev && umount /new
		swapoff /dev/vda && echo everything fits again
		poweroff -f
	END
	tools/initramfs.sh "$scratch/init.cpio" "$scratch/init.sh" || exit 2
	tar -C "$scratch/tree" -cf "$scratch/tree.tar" .
	truncate -s 512M "$scratch/swap.img"
	/sbin/mkswap "$scratch/swap.img" >/dev/null 2>&1 || exit 2
	drive="-drive file=$scratch/swap.img,if=none,id=s,format=raw,cache=unsafe -device virtio-blk-pci,drive=s"
	drive="$drive -drive file=$scratch/tree.tar,if=none,id=r,format=raw,readonly=on -device virtio-blk-pci,drive=r"
	limit=600 boot "$name" "$memory" 2 "$scratch/init.cpio" </dev/null
	drive=
	judge "$name" "$status" 33 "$@" '^pswpout [0-9]{4}' '^oom_kill 0$' '^everything fits again$' '!^FAIL' "$clean"
	rm -rf "$scratch"
	mkdir -p "$scratch"
}

# A file larger than memory is sorted: its parts, and those merged, are in files in memory.
if can pressure-sort /usr/bin/sort; then
	mkdir -p "$scratch/tree/data"
	awk 'BEGIN { x = 1; for (i = 0; i < 800000; i++) { x = x * 69069 % 4294967296; printf "%010d %032d\n", x, i } }' \
		>"$scratch/tree/data/lines"
	bring /usr/bin/sort
	sum=$(LC_ALL=C sort "$scratch/tree/data/lines" | md5sum)
	echo 'LC_ALL=C /usr/bin/sort -S 12M /data/lines | md5sum' >"$scratch/tree/run.sh"
	under_pressure pressure-sort 32M '' "^$sum\$"
fi

# Compilers at once, their own text in files in memory, with the other policy.
cc1=$(gcc -print-prog-name=cc1 2>/dev/null) || cc1=cc1
if can pressure-compiler gcc "$cc1"; then
	mkdir -p "$scratch/tree/data"
	bring "$cc1"
	sums=
	for name in descriptors userfault core process; do
		gcc -E -P -std=gnu11 "tests/user/$name.c" -o "$scratch/tree/data/$name.i" &&
			"$cc1" -quiet -w -O2 -fpreprocessed "$scratch/tree/data/$name.i" -o "$scratch/$name.s" || exit 2
		sums="$sums ^$(md5sum <"$scratch/$name.s" | cut -d' ' -f1)"
		echo "$cc1 -quiet -w -O2 -fpreprocessed /data/$name.i -o /data/$name.s &" >>"$scratch/tree/run.sh"
	done
	printf 'wait\nfor s in /data/*.s; do md5sum <$s; done\n' >>"$scratch/tree/run.sh"
	# shellcheck disable=SC2086 # patterns without blanks
	under_pressure pressure-compiler 56M 'echo 7 >/sys/kernel/mm/lru_gen/enabled' $sums
fi

# A database in memory, half as large again as it is, through compressed memory.
if can pressure-database sqlite3; then
	mkdir -p "$scratch/tree/data"
	bring "$(command -v sqlite3)"
	cat >"$scratch/tree/data/queries.sql" <<-'END'
		CREATE TABLE a(id INTEGER PRIMARY KEY, k INTEGER, t TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
			INSERT INTO a SELECT i, i * 2654435761 % 1000003, printf('%0120d', i * 40503 % 999983) FROM n;
		CREATE INDEX by_k ON a(k);
		CREATE INDEX by_t ON a(t);
		UPDATE a SET t = t || k WHERE k % 7 = 0;
		DELETE FROM a WHERE k % 5 = 0;
		SELECT count(*), sum(k), sum(length(t)), max(t) FROM a;
		SELECT sum(x.k * length(y.t)) FROM a x JOIN a y ON x.k = y.id;
		PRAGMA integrity_check;
	END
	echo 'sqlite3 :memory: </data/queries.sql | md5sum' >"$scratch/tree/run.sh"
	sum=$(sqlite3 :memory: <"$scratch/tree/data/queries.sql" | md5sum)
	under_pressure pressure-database 48M 'echo 1 >/sys/module/zswap/parameters/enabled' "^$sum\$" '^zswpout [0-9]{4}'
fi
rm -rf "$scratch"

finish
