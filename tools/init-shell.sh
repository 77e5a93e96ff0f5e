#!/bin/sh
# SPDX-License-Identifier: MIT
# /init of "make qemu": a shell on the serial port; when it ends, the machine is put off.
export PATH=/bin:/sbin HOME=/root PS1='\w # '
cd /root
echo
echo "Octavo's reference kernel, $(uname -r), with BusyBox. exit or ^D puts the machine off."
setsid cttyhack sh
poweroff -f
