// SPDX-License-Identifier: MIT
/* kernelcore=, movablecore=, movable_node and cma=: remembered for zone sizing and for CMA. */
#include "../base/string.h"
#include "params.h"

struct kernelcore_params kernelcore_params __memsys;
struct cma_params cma_params __memsys;

/* "50%" or a size; the two exclude each other, the later wins. */
static int parse_core(const char *value, u64 *pages, unsigned int *percent)
{
	bool overflow;
	u64 number;
	size_t n;

	if (!value)
		return -EINVAL;
	n = parse_u64(value, &number, &overflow);
	if (n && value[n] == '%' && !value[n + 1]) {
		if (overflow || number > 100)
			return -EINVAL;
		*percent = (unsigned int)number;
		*pages = 0;
		return 0;
	}
	if (parse_size(value, &number) < 0)
		return -EINVAL;
	*pages = number >> PAGE_SHIFT;
	*percent = 0;
	return 0;
}

static int kernelcore_param(const char *value)
{
	if (value && !strcmp(value, "mirror")) {
		kernelcore_params.kernelcore_mirror = true;
		return 0;
	}
	return parse_core(value, &kernelcore_params.kernelcore_pages, &kernelcore_params.kernelcore_percent);
}
early_param("kernelcore", kernelcore_param);

static int movablecore_param(const char *value)
{
	return parse_core(value, &kernelcore_params.movablecore_pages, &kernelcore_params.movablecore_percent);
}
early_param("movablecore", movablecore_param);

static int movable_node_param(const char *value)
{
	(void)value;
	kernelcore_params.movable_node = true;
	return 0;
}
early_param("movable_node", movable_node_param);

static int cma_param(const char *value)
{
	struct cma_params cma = { .given = true };
	const char *p, *end;

	if (!value)
		return -EINVAL;
	cma.size = memparse(value, &p);
	if (p == value || cma.size == ~0ull)
		return -EINVAL;
	if (*p == '@') {
		cma.base = memparse(p + 1, &end);
		if (end == p + 1 || cma.base == ~0ull || cma.base + cma.size < cma.base)
			return -EINVAL;
		p = end;
		/* Without an end the area stands where it is asked to. */
		cma.limit = cma.base + cma.size;
		if (*p == '-') {
			cma.limit = memparse(p + 1, &end);
			if (end == p + 1 || cma.limit == ~0ull || cma.limit < cma.base + cma.size)
				return -EINVAL;
			p = end;
		}
	}
	if (*p)
		return -EINVAL;
	cma_params = cma;
	return 0;
}
early_param("cma", cma_param);
