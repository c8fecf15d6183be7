/* SPDX-License-Identifier: Apache-2.0 */
/* Words with variables.  The value of A is what stands before the first newline, the word is the
 * rest; results stay within their limit, and the words of a text hold no more than the text. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/dockervar.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(void *ctx, const char *name)
{
	return streq(name, "A") ? ctx : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	char *text = arena_dupn(&a, (const char *)data, size), *word = strchr(text, '\n');
	struct dockervar v = {.get = get, .escape = '\\'};
	const char *whole = NULL;
	struct strs words = {0};
	struct err e = ERR_INIT;
	size_t sum = 0;

	if (!word || size > 4096)
		return 0;
	*word++ = 0;
	v.ctx = text;
	v.no_quotes = *text == '!';
	if (dockervar_word(&v, word, &a, &whole, &e) < 0) {
		if (e.kind != ERR_USAGE && e.kind != ERR_LIMIT)
			abort();
		return 0;
	}
	if (dockervar_words(&v, word, &a, &words, &e) < 0)
		abort();
	for (size_t i = 0; i < words.n; i++)
		sum += strlen(words.v[i]);
	if (strlen(whole) > DOCKERVAR_MAX || sum > strlen(whole))
		abort();
	return 0;
}
