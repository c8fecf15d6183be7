/* SPDX-License-Identifier: Apache-2.0 */
/* tarread - any bytes as a tar, in pieces of two sizes: entries keep their promises, and both give
 * the same. */
#include "base/err.h"
#include "fmt/limits.h"
#include "fmt/tarread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left, step;
};

static ssize_t next(void *arg, const void **data, struct err *e)
{
	struct input *in = arg;
	size_t n = in->left < in->step ? in->left : in->step;

	*data = in->p;
	in->p += n;
	in->left -= n;
	return (ssize_t)n;
}

static void check_value(struct tarpax_value v, size_t least)
{
	if (v.p && (v.len < least || v.len > LIMIT_PAX || v.p[v.len] || memchr(v.p, 0, v.len)))
		abort();
}

static void check(const struct tarread_entry *te)
{
	uint64_t end = 0;

	check_value(te->name, 1);
	check_value(te->link, 0);
	if (!te->name.p || te->mode > 07777 || te->mtime_nsec >= 1000000000 ||
	    (te->type != TARREAD_FILE && te->size) || te->nxattrs > LIMIT_XATTRS ||
	    te->nruns > LIMIT_RUNS)
		abort();
	for (size_t i = 0; i < te->nxattrs; i++)
		if (!*te->xattrs[i].name)
			abort();
	for (size_t i = 0; i < te->nruns; i++) {
		if (te->runs[i].off < end || te->runs[i].len > te->size ||
		    te->runs[i].off > te->size - te->runs[i].len)
			abort();
		end = te->runs[i].off + te->runs[i].len;
	}
}

/* A sum over everything that came out. */
static uint64_t mix(uint64_t sum, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ b[i]) * 0x100000001b3;
	return sum;
}

static uint64_t run(const uint8_t *data, size_t size, size_t step, size_t *entries)
{
	struct input in = {data, size, step};
	struct tarread_source src = {next, &in};
	struct tarread *t = tarread_new(&src);
	struct tarread_entry te;
	struct err e = ERR_INIT;
	uint64_t sum = 0, off, end;
	const void *p;
	size_t len;
	int r;

	while ((r = tarread_next(t, &te, &e)) > 0) {
		check(&te);
		++*entries;
		sum = mix(sum, te.name.p, te.name.len);
		sum = mix(sum, &te.size, sizeof(te.size));
		for (end = 0; (r = tarread_data(t, &p, &len, &off, &e)) > 0; end = off + len) {
			if (off < end || len > te.size || off > te.size - len)
				abort();
			sum = mix(sum, p, len);
		}
		if (r < 0)
			break;
	}
	if ((r < 0) != (e.kind != ERR_NONE))
		abort();
	/* The reader looks at the rest of its piece, whoever drains the source at what comes then.
	 */
	for (size_t i = 0; r == 0 && i < in.left; i++)
		r = in.p[i] ? -EBADMSG : 0;
	tarread_free(t);
	return mix(sum, &r, sizeof(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t a = 0, b = 0;

	/* What was read before an error may come out in smaller pieces, never other bytes. */
	if (run(data, size, size ? size : 1, &a) != run(data, size, 700, &b) || a != b)
		abort();
	return 0;
}
