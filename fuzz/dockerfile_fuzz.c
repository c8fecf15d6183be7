/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile from anybody.  Each instruction that was accepted is accepted again when it stands
 * by itself, as ONBUILD and `commit --change` keep it. */
#include "base/err.h"
#include "fmt/dockerfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instr(const struct dockerfile_instr *in, struct arena *a)
{
	struct dockerfile_instr *again = NULL;
	struct err e = ERR_INIT;

	if (in->line < 1 || in->last_line < in->line || !*in->source)
		abort();
	if (in->pairs_n && !in->pairs[0].key)
		abort();
	/* Continuations are gone: text that ends in an escape would begin one. */
	if (in->heredocs_n || (in->child && in->child->heredocs_n) || strpbrk(in->source, "\\`\n"))
		return;
	if (dockerfile_parse_one(in->source, strlen(in->source), "again", a, &again, &e) < 0 ||
	    again->kind != in->kind || again->args.n != in->args.n || again->flags_n != in->flags_n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;
	int line = -1;

	if (dockerfile_parse((const char *)data, size, "Dockerfile", &a, &f, &line, &e) < 0) {
		if (line < 0 || (e.kind != ERR_USAGE && e.kind != ERR_LIMIT))
			abort();
		return 0;
	}
	for (size_t i = 0; i < f->n; i++)
		check_instr(&f->v[i], &a);
	return 0;
}
