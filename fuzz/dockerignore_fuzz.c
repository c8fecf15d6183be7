/* SPDX-License-Identifier: Apache-2.0 */
/* The last line is a path, the others are the rules.  Whatever is taken back below a directory that
 * is left out, the directory is one to enter. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/dockerignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	char *text = arena_dupn(&a, (const char *)data, size), *path = strrchr(text, '\n'), *slash;
	struct dockerignore d = {0};
	struct err e = ERR_INIT;
	bool out;

	if (!path || size > 4096)
		return 0;
	*path++ = 0;
	if (dockerignore_parse(text, strlen(text), ".dockerignore", &a, &d, &e) < 0) {
		if (e.kind != ERR_USAGE && e.kind != ERR_LIMIT)
			abort();
		return 0;
	}
	out = dockerignore_match(&d, path);
	slash = strrchr(path, '/');
	if (!slash || slash == path || !slash[1])
		return 0;
	*slash = 0;
	if (!out && dockerignore_match(&d, path) && !dockerignore_enter(&d, path))
		abort();
	return 0;
}
