/* SPDX-License-Identifier: Apache-2.0 */
/* dockerfile_instr - input: one byte that chooses the escape character, then an instruction: what
 * is refused is refused with a reason of the two kinds, and the same text gives the same twice. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/dockerfile_instr.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(const char *text, char escape, struct arena *a, struct dockerfile_instr *out,
		 unsigned int *oddities)
{
	struct err e = ERR_INIT;
	int r;

	*out = (struct dockerfile_instr){0};
	r = dockerfile_instr_parse(text, escape, a, out, oddities, &e);
	if (r == 0)
		r = dockerfile_instr_heredocs(out, escape, a, &e);
	if (r < 0 && ((e.kind != ERR_USAGE && e.kind != ERR_LIMIT) || !*e.msg))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct dockerfile_instr one, two;
	unsigned int odd = 0, odd_again = 0;
	const char *text;
	char escape;

	if (size < 1)
		return 0;
	escape = data[0] & 1 ? '`' : '\\';
	text = arena_dupn(&a, (const char *)data + 1, size - 1);
	if (parse(text, escape, &a, &one, &odd) != parse(text, escape, &a, &two, &odd_again) ||
	    odd != odd_again)
		abort();
	return 0;
}
