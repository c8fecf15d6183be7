/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/each.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/lookup.h"
#include "fmt/utf8.h"

#include <stdio.h>

void each_print(const char *text)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	utf8_visible(&b, text);
	puts(b.p);
}

int each_instance(struct session *s, int argc, char **argv,
		  int (*fn)(struct session *, struct lookup *, const void *, struct err *),
		  const void *arg)
{
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct err e = ERR_INIT;
		struct lookup l;
		int r = lookup_find(s, argv[i], &a, &l, &e);

		if (r == 0)
			r = fn(s, &l, arg, &e);
		if (r < 0) {
			fprintf(stderr, "caisson: %s\n", e.msg);
			failed = 1;
		} else {
			each_print(argv[i]);
			fflush(stdout);
		}
	}
	return failed;
}
