/* SPDX-License-Identifier: Apache-2.0 */
/* tarpax - any bytes as a pax header: values lie within them and end with a NUL, runs ascend, and a
 * record kept from one header to the next is as a fresh one. */
#include "base/err.h"
#include "fmt/tarpax.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const struct tarpax_value *v, const char *text, size_t len)
{
	if (v->p && (v->p < text || v->len > len || v->p + v->len >= text + len || v->p[v->len]))
		abort();
}

static void check(const struct tarpax *x, const char *text, size_t len)
{
	uint64_t end = 0;

	check_value(&x->path, text, len);
	check_value(&x->linkpath, text, len);
	check_value(&x->acl_access, text, len);
	check_value(&x->acl_default, text, len);
	check_value(&x->sparse_map, text, len);
	check_value(&x->sparse_name, text, len);
	for (size_t i = 0; i < x->nruns; i++) {
		if (x->runs[i].off < end || x->runs[i].off + x->runs[i].len < x->runs[i].off)
			abort();
		end = x->runs[i].off + x->runs[i].len;
	}
	if (x->has_mtime && x->mtime_nsec > 999999999)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct tarpax x = {0};
	int first = 0;

	if (!text)
		abort();
	for (int round = 0; round < 2; round++) {
		struct err e = ERR_INIT;
		int r;

		memcpy(text, data, size);
		tarpax_reset(&x);
		r = tarpax_parse(&x, text, size, &e);
		if (r < 0 ? e.kind != ERR_CORRUPT && e.kind != ERR_LIMIT : e.kind != ERR_NONE)
			abort();
		if (round && r != first)
			abort();
		first = r;
		if (r == 0)
			check(&x, text, size);
	}
	tarpax_free(&x);
	free(text);
	return 0;
}
