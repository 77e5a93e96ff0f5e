#!/bin/sh
# SPDX-License-Identifier: MIT
# QEMU options for a machine: machine.sh MEMORY CPUS NODES, memory as 512M or 16G. Nodes share memory and CPUs evenly;
# the distance between two is 10 and 6 for each step from one to the other.
set -eu
memory=$1
cpus=$2
nodes=${3:-1}
case $memory in
*G) mib=$((${memory%G} * 1024)) ;;
*M) mib=${memory%M} ;;
*) echo "machine.sh: memory is $memory, not like 512M or 2G" >&2; exit 2 ;;
esac
printf '%s' "-m $memory -smp $cpus"
[ "$nodes" -gt 1 ] || exit 0
if [ $((mib % nodes)) -ne 0 ] || [ $((cpus % nodes)) -ne 0 ]; then
	echo "machine.sh: $memory and $cpus CPUs do not divide by $nodes nodes" >&2
	exit 2
fi
i=0
while [ $i -lt "$nodes" ]; do
	each=$((cpus / nodes))
	printf '%s' " -object memory-backend-ram,id=ram$i,size=$((mib / nodes))M"
	printf '%s' " -numa node,nodeid=$i,memdev=ram$i,cpus=$((i * each))-$((i * each + each - 1))"
	j=$((i + 1))
	while [ $j -lt "$nodes" ]; do
		dist="${dist:-} -numa dist,src=$i,dst=$j,val=$((10 + 6 * (j - i)))"
		j=$((j + 1))
	done
	i=$((i + 1))
done
printf '%s' "$dist"
