#include "pc.h"
#include "mm/sync/cpu.h"
int mm_init(const struct bootinfo *i){
 static struct cpu_local c[256] __attribute__((section("memsys"))) = {{.self=0}};
 printk("standin mm_init: map %u cpus %u mem %u dist %u\n", i->map_nr, i->cpus_nr, i->mem_affinity_nr, i->distance_nr);
 for (unsigned k=0;k<i->map_nr;k++) printk("  %llx+%llx %u\n", (unsigned long long)i->map[k].start,(unsigned long long)i->map[k].size,i->map[k].type);
 for (unsigned k=1;k<i->cpus_nr;k++){ c[k].self=&c[k]; c[k].cpu=k; cpu_locals[k]=&c[k];}
 nr_cpu_ids=i->cpus_nr;
 return 0;}
void mm_free_initmem(void){}
int mm_cpu_online(unsigned c){ cpu_locals[c]->online=1; return 0;}
