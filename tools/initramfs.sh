#!/bin/sh
# SPDX-License-Identifier: MIT
# A root for the reference kernel: BusyBox, and programs of ours. Usage: tools/initramfs.sh OUT INIT [PROGRAM...]
# INIT becomes /init; each PROGRAM goes to /bin. BusyBox is the system's static one (Debian: busybox-static), or the one
# that BUSYBOX names; it also packs the archive.
set -eu
out=$1
init=$2
shift 2
busybox=${BUSYBOX:-$(command -v busybox)} || {
	echo "initramfs.sh: no busybox: install busybox-static, or set BUSYBOX" >&2
	exit 1
}
root=$out.root
rm -rf "$root"
mkdir -p "$root/bin" "$root/sbin" "$root/etc" "$root/root" "$root/tmp" "$root/dev" "$root/proc" "$root/sys"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
cp "$init" "$root/init"
chmod 755 "$root/init"
for program; do
	cp "$program" "$root/bin/"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
(cd "$root" && find . | LC_ALL=C sort | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) >"$out.new"
rm -rf "$root"
mv "$out.new" "$out"
