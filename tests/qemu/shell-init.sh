#!/bin/sh
# SPDX-License-Identifier: MIT
# /init of the shell test: BusyBox on the reference kernel, each line of what it should do looked at. kernel.sh reads
# the lines "ok NAME" and "FAIL NAME". Then off.
export PATH=/bin:/sbin
failed=0

# is NAME WANTED COMMAND...: its output, errors included, is exactly that
is() {
	name=$1
	want=$2
	shift 2
	got=$("$@" 2>&1)
	if [ "$got" = "$want" ]; then
		echo "ok $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name: got <$got> instead of <$want>"
	fi
}

# has NAME PATTERN COMMAND...: a line of its output matches
has() {
	name=$1
	pattern=$2
	shift 2
	got=$("$@" 2>&1)
	if echo "$got" | grep -qE -e "$pattern"; then
		echo "ok $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name: no line is like <$pattern> in <$got>"
	fi
}

run() { sh -c "$1"; }

# What there is.
is ls-root 'bin dev etc init proc root sbin sys tmp' run 'ls / | xargs'
has ls-long '^-rwxr-xr-x +1 root +root +[0-9]+ .* /bin/busybox$' ls -l /bin/busybox
has dev-null '^crw-rw-rw- .* 1, +3 .* /dev/null$' ls -l /dev/null
has uname '^Linux .* 6\.12\.[^ ]* .* x86_64' uname -a
has meminfo '^MemTotal: +[0-9]+ kB$' cat /proc/meminfo
has meminfo-mapped '^AnonPages: +[1-9][0-9]* kB$' cat /proc/meminfo
has free '^Mem: +[1-9][0-9]+ +[1-9][0-9]* +[1-9][0-9]+ ' free
has ps '^ +1 root .*/bin/sh /init$' ps
has ps-thread ' \[kttyd\]$' ps
has top '^Mem: [0-9]+K used, [0-9]+K free' top -n1 -b
has top-self ' top -n1 -b$' top -n1 -b
has mount '^devtmpfs on /dev type devtmpfs \(rw' mount
has proc-mount '^proc /proc proc rw' cat /proc/mounts
has filesystems '^nodev.tmpfs$' cat /proc/filesystems
has version '^Linux version 6\.12\.' cat /proc/version
has cpuinfo '^processor.: 0$' cat /proc/cpuinfo
has stat '^cpu  [0-9]+ 0 [0-9]+ [0-9]+ ' cat /proc/stat
has loadavg '^[0-9.]+ [0-9.]+ [0-9.]+ [0-9]+/[0-9]+ [0-9]+$' cat /proc/loadavg
has config '^CONFIG_MMU=y$' zcat /proc/config.gz
has config-not '^# CONFIG_SECCOMP is not set$' zcat /proc/config.gz
has config-net '^# CONFIG_NET is not set$' zcat /proc/config.gz
has mountinfo '^[0-9]+ [0-9]+ 0:[0-9]+ / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw$' cat /proc/self/mountinfo
has partitions '^major minor  #blocks  name$' cat /proc/partitions
has limits '^Max processes +[0-9]+ +[0-9]+ +processes' cat /proc/self/limits
has auxv '^0000000 0000000000000010 ' run 'od -A o -t x8 /proc/self/auxv'
is pid-max '400 32768' run 'cd /proc/sys/kernel; echo 400 >pid_max; a=$(cat pid_max); echo 32768 >pid_max; echo $a $(cat pid_max)'
has pid-max-low 'Invalid argument' run 'echo 300 >/proc/sys/kernel/pid_max'
is tainted 0 cat /proc/sys/kernel/tainted
is panic-on-oom 0 cat /proc/sys/vm/panic_on_oom
has dmesg 'Run /init as init process' dmesg
has kmsg 'said to kmsg' run 'echo "said to kmsg" >/dev/kmsg; dmesg'

# Processes as files.
has maps '^[0-9a-f]+-[0-9a-f]+ r-xp [0-9a-f]{8} [0-9a-f:]+ [0-9]+ +/bin/busybox$' cat /proc/self/maps
has maps-stack '\[stack\]$' cat /proc/self/maps
has smaps '^Pss: +[1-9][0-9]* kB$' cat /proc/self/smaps
has rollup 'rollup\]$' cat /proc/self/smaps_rollup
has status '^VmRSS:.+[1-9][0-9]* kB$' cat /proc/self/status
has statm '^[1-9][0-9]* [1-9][0-9]* [0-9]+ ' cat /proc/self/statm
is comm 'cat' cat /proc/self/comm
is exe '/bin/busybox' readlink /proc/self/exe
is cwd '/tmp' run 'cd /tmp; readlink /proc/self/cwd'
has cmdline '^sleep.7$' run 'sleep 7 & sleep 0.5; tr "\0" " " </proc/$!/cmdline | sed "s/ $//"; kill $!'
has environ '^PATH=/bin:/sbin$' run 'cat /proc/self/environ | tr "\0" "\n"'
# Opened by the shell, for a program that takes its place.
is environ-before '' run 'tr "\0" "\n" </proc/self/environ'
has fd ' 1 -> pipe:\[[0-9]+\]$' ls -l /proc/self/fd
has limits-files '^Max open files +1024 +4096 +files' cat /proc/self/limits
is no-such 'cat: can'\''t open '\''/proc/99999/maps'\'': No such file or directory' cat /proc/99999/maps
is sysctl-name 'Linux' cat /proc/sys/kernel/ostype
is sysctl-write '1' run 'echo 1 >/proc/sys/vm/overcommit_memory; cat /proc/sys/vm/overcommit_memory'
is hostname 'octavo' run 'hostname octavo; cat /proc/sys/kernel/hostname'

# Files.
is redirect 'one
two' run 'cd /tmp; echo one >f; echo two >>f; cat f; rm f'
is link 'text 2' run 'cd /tmp; echo text >a; ln a b; ln -s b c; echo $(cat c) $(stat -c %h a); rm a b c'
is rename 'x' run 'cd /tmp; mkdir -p p/q; echo x >p/q/f; mv p r; cat r/q/f; rm -r r'
is find '/tmp/t /tmp/t/1 /tmp/t/2' run 'mkdir /tmp/t; touch /tmp/t/2 /tmp/t/1; find /tmp/t | sort | xargs; rm -r /tmp/t'
is full 'sh: write error: No space left on device' run 'echo x >/dev/full'
is dd '65536' run 'dd if=/dev/urandom bs=4k count=16 2>/dev/null | wc -c'
is dd-sparse '1 1048577' run 'cd /tmp; printf x | dd of=s bs=1 seek=1048576 2>/dev/null
	echo $(tail -c1 s | wc -c) $(stat -c %s s); rm s'
is tmpfs-size '1048576' run 'mkdir /tmp/m; mount -t tmpfs -o size=1m none /tmp/m
	dd if=/dev/zero of=/tmp/m/f bs=64k 2>/dev/null; stat -c %s /tmp/m/f; umount /tmp/m; rmdir /tmp/m'
has df '^none +1024 +0 +1024 +0% /tmp/m$' run 'mkdir /tmp/m; mount -t tmpfs -o size=1m none /tmp/m; df /tmp/m
	umount /tmp/m; rmdir /tmp/m'
is busy 'umount: can'\''t unmount /tmp/m: Device or resource busy' run 'mkdir /tmp/m; mount -t tmpfs none /tmp/m
	cd /tmp/m; umount /tmp/m; cd /; umount /tmp/m; rmdir /tmp/m'
is copy 'same' run 'cp /bin/busybox /tmp/b; cmp /bin/busybox /tmp/b && echo same; rm /tmp/b'
is tar 'etc/ etc/group etc/passwd' run 'tar cf - /etc 2>/dev/null | tar tf - | sort | xargs'
is gzip 'same' run 'gzip -c /bin/busybox >/tmp/z; gunzip -c /tmp/z | cmp - /bin/busybox && echo same; rm /tmp/z'

# Pipes, signals, status.
is sort '999' run 'seq 1 999 | sort -rn | head -n 1'
is pipeline '100000' run 'yes | head -n 100000 | tr y n | grep -c n'
is broken-pipe '1' run 'yes 1 | head -n 1'
is fifo 'through' run 'mkfifo /tmp/f; echo through >/tmp/f & cat /tmp/f; rm /tmp/f'
is killed 'Killed
137' run 'sh -c "kill -9 \$\$"; echo $?'
is exit-status '3' run 'sh -c "exit 3"; echo $?'
is trap 'caught' run 'trap "echo caught; exit" USR1; kill -USR1 $$; sleep 1'
is background 'done' run 'sleep 0.1 & wait $! && echo done'
is timeout 'Terminated
143' run 'timeout 1 sleep 10; echo $?'
is segv 'Segmentation fault
139' run 'sh -c "kill -SEGV \$\$"; echo $?'
is loop '5050' run 'i=0; s=0; while [ $i -lt 100 ]; do i=$((i + 1)); s=$((s + i)); done; echo $s'
is many '200' run 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); /bin/true || exit; done; echo $i'
is awk '55' run 'seq 1 10 | awk "{ s += \$1 } END { print s }"'
is nobody 'cat: can'\''t open '\''/proc/slabinfo'\'': Permission denied' su nobody -c 'cat /proc/slabinfo'
# No address of the kernel's in anything that an ordinary user may read. (A mask of all ones is none.)
cat >/tmp/addresses <<'END'
{ find /proc/ -maxdepth 1 -type f; find /proc/self/ /proc/sys/ /sys/ -type f; } 2>/dev/null |
	grep -vE '/(k?page[a-z]*|mem)$' | xargs grep -HE 'ffff[89a-f][0-9a-f]{11}' 2>/dev/null |
	grep -v 'untag_mask:.0xffffffffffffffff$' | cut -d: -f1 | sort -u
END
is no-addresses '' su nobody -c 'sh /tmp/addresses'
has addresses-found slabinfo\|vmallocinfo sh /tmp/addresses # the search does find them where they are

[ $failed = 0 ] && echo 'shell: passed' || echo "shell: $failed failed"
poweroff -f
