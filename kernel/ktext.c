// SPDX-License-Identifier: MIT
/* Text that grows while a file is generated. */
#include "kfs.h"

static bool ktext_room(struct ktext *text, size_t more)
{
	size_t size = text->size;
	char *data;

	if (text->size - text->len >= more)
		return true;
	while (size - text->len < more)
		size = size ? 2 * size : 1024;
	data = kvrealloc(text->data, size, GFP_KERNEL);
	if (!data) {
		text->no_memory = true;
		return false;
	}
	text->data = data;
	text->size = size;
	return true;
}

void ktext_add(void *ctx, const char *from, size_t len)
{
	struct ktext *text = ctx;

	if (!ktext_room(text, len))
		return;
	memcpy(text->data + text->len, from, len);
	text->len += len;
}

void ktext_printf(struct ktext *text, const char *fmt, ...)
{
	va_list args, again;
	size_t len;

	va_start(args, fmt);
	va_copy(again, args);
	len = octavo_vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (ktext_room(text, len + 1)) {
		octavo_vsnprintf(text->data + text->len, len + 1, fmt, again);
		text->len += len;
	}
	va_end(again);
}

void ktext_free(struct ktext *text)
{
	kvfree(text->data);
	*text = (struct ktext){ 0 };
}
