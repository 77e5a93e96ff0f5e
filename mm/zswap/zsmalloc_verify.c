// SPDX-License-Identifier: MIT
/* zsmalloc's invariants (zsmalloc.c). */
#include "../base/findings.h"
#include "zsmalloc.h"

static void verify_pages(struct zspage *zspage, struct findings *f)
{
	for (unsigned int i = 0; i < zspage->class->pages; i++)
		if (!PageZsmalloc(zspage->pages[i]) || page_ref_count(zspage->pages[i]) < 1)
			finding(f, "zsmalloc: a page of a zspage of size %u has flags %#x, count %d",
				zspage->class->size, zspage->pages[i]->flags, page_ref_count(zspage->pages[i]));
}

/* ZS-I1, ZS-I2 */
static void verify_places(struct zspage *zspage, struct findings *f)
{
	const struct zs_class *class = zspage->class;
	unsigned int used = 0, free = 0;

	for (unsigned int place = 0; place < class->objects; place++) {
		struct zs_handle *handle = (struct zs_handle *)zspage->objects[place];

		if ((uintptr_t)handle & 1)
			continue;
		used++;
		if ((handle->location & ~ZS_PINNED) != zs_location(zspage, place))
			finding(f, "zsmalloc: the handle of place %u of a zspage of size %u leads elsewhere", place,
				class->size);
	}
	for (unsigned int place = zspage->free; place != ZS_NONE && free <= class->objects; free++) {
		if (place >= class->objects || !(zspage->objects[place] & 1)) {
			finding(f, "zsmalloc: place %u of a zspage of size %u is free and used", place, class->size);
			break;
		}
		place = (unsigned int)(zspage->objects[place] >> 1);
	}
	if (used != zspage->used || used + free != class->objects)
		finding(f, "zsmalloc: a zspage of size %u has %u places: %u used, %u free, counted %u", class->size,
			class->objects, used, free, zspage->used);
}

static void verify_class(struct zs_class *class, struct findings *f)
{
	unsigned long zspages = 0, used = 0;

	for (unsigned int group = 0; group < ZS_LISTS; group++) {
		struct zspage *zspage;

		list_for_each_entry(zspage, &class->groups[group], list) {
			zspages++;
			used += zspage->used;
			if (zspage->class != class || zspage->group != group ||
			    zs_group_of(class, zspage->used) != group || !zspage->used)
				finding(f, "zsmalloc: a zspage of size %u with %u of %u objects is in group %u",
					class->size, zspage->used, class->objects, group);
			verify_pages(zspage, f);
			verify_places(zspage, f);
		}
	}
	if (zspages != class->zspages || used != class->used)
		finding(f, "zsmalloc: size %u has %lu zspages and %lu objects, but %lu and %lu are on its lists",
			class->size, class->zspages, class->used, zspages, used);
}

void zs_verify(void *data, struct findings *f)
{
	struct zs_pool *pool = data;
	unsigned long pages = 0;

	for (unsigned int i = 0; i < ZS_SIZES; i++)
		if (i + 1 == ZS_SIZES || pool->class_of[i] != pool->class_of[i + 1]) {
			verify_class(pool->class_of[i], f);
			pages += pool->class_of[i]->zspages * pool->class_of[i]->pages;
		}
	if (pages != pool->pages)
		finding(f, "zsmalloc: %lu pages are counted, zspages have %lu", pool->pages, pages);
}
