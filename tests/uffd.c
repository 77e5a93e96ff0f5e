// SPDX-License-Identifier: MIT
#include "uffd.h"

#include "mm/sync/cpu.h"

uintptr_t uffd_args;

/* Each CPU has a place of its own. */
static uintptr_t args(void)
{
	return uffd_args + smp_processor_id() * 256;
}

struct userfaultfd_ctx *uffd_open(u64 features)
{
	struct userfaultfd_ctx *ctx;
	int err;

	current_task()->process->capabilities |= 1ull << CAP_SYS_PTRACE;
	if (!uffd_args)
		uffd_args = test_map(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ctx = uffd_args ? userfaultfd_new(0, false, &err) : NULL;
	if (!ctx || uffd_api(ctx, UFFD_API, features, NULL)) {
		test_fail(__FILE__, __LINE__, "no userfaultfd with features %#llx", (unsigned long long)features);
		return NULL;
	}
	return ctx;
}

long uffd_call(struct userfaultfd_ctx *ctx, unsigned int cmd, void *arg, size_t size)
{
	uintptr_t at = args();
	long ret;

	if (test_user_write(at, arg, size) != size)
		return -EFAULT;
	ret = userfaultfd_ioctl(ctx, cmd, at);
	return test_user_read(at, arg, size) == size ? ret : -EFAULT;
}

long uffd_api(struct userfaultfd_ctx *ctx, u64 api, u64 features, struct uffdio_api *result)
{
	struct uffdio_api a = { .api = api, .features = features };
	long ret = uffd_call(ctx, UFFDIO_API, &a, sizeof(a));

	if (result)
		*result = a;
	return ret;
}

long uffd_register(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, u64 mode, u64 *ioctls)
{
	struct uffdio_register r = { .range = { start, len }, .mode = mode };
	long ret = uffd_call(ctx, UFFDIO_REGISTER, &r, sizeof(r));

	if (ioctls)
		*ioctls = r.ioctls;
	return ret;
}

long uffd_range(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t start, size_t len)
{
	struct uffdio_range r = { start, len };

	return uffd_call(ctx, cmd, &r, sizeof(r));
}

long uffd_fill(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t start, size_t len, u64 mode, s64 *done)
{
	struct uffdio_continue c = { .range = { start, len }, .mode = mode };
	long ret = uffd_call(ctx, cmd, &c, sizeof(c));

	if (done)
		*done = c.mapped;
	return ret;
}

long uffd_copy(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t dst, uintptr_t src, size_t len, u64 mode,
	       s64 *done)
{
	struct uffdio_copy c = { .dst = dst, .src = src, .len = len, .mode = mode };
	long ret = uffd_call(ctx, cmd, &c, sizeof(c));

	if (done)
		*done = c.copy;
	return ret;
}
