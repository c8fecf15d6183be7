/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/each.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/lookup.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

void each_print(const char *text)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	utf8_visible(&b, text);
	puts(b.p);
}

void each_failed(const struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	utf8_visible(&b, e->msg);
	fprintf(stderr, "caisson: %s\n", b.p);
}

/* Gone before or while fn looked at it: a monitor that clears up, or another command, was faster.
 */
static bool absent(struct session *s, const char *what, struct arena *a)
{
	struct lookup l;

	return lookup_find(s, what, a, &l, NULL) == -ENOENT;
}

static int one(struct session *s, const char *what, bool absent_ok,
	       int (*fn)(struct session *, struct lookup *, const void *, struct err *),
	       const void *arg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct lookup l;
	int r = lookup_find(s, what, &a, &l, &e);

	if (r == 0)
		r = fn(s, &l, arg, &e);
	if (r < 0) {
		each_failed(&e);
		return absent_ok && r == -ENOENT && absent(s, what, &a) ? 0 : r;
	}
	each_print(what);
	fflush(stdout);
	return 0;
}

int each_instance(struct session *s, int argc, char **argv,
		  int (*fn)(struct session *, struct lookup *, const void *, struct err *),
		  const void *arg)
{
	int failed = 0;

	for (int i = 0; i < argc; i++)
		if (one(s, argv[i], false, fn, arg) < 0)
			failed = 1;
	return failed;
}

int each_instance_there(struct session *s, int argc, char **argv,
			int (*fn)(struct session *, struct lookup *, const void *, struct err *),
			const void *arg)
{
	int failed = 0;

	for (int i = 0; i < argc; i++)
		if (one(s, argv[i], true, fn, arg) < 0)
			failed = 1;
	return failed;
}
