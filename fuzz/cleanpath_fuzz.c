/* SPDX-License-Identifier: Apache-2.0 */
/* cleanpath - what comes out is the stack of components that a simple walk leaves, fits where the
 * header says, and stays as it is when it is cleaned again. */
#include "base/buf.h"
#include "fmt/cleanpath.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 4096

/* The components that are left, each behind a '/'; whether none of the ".." had nothing to take. */
static bool walk(const char *path, struct buf *out)
{
	bool inside = true;

	for (size_t n; *path; path += n + (path[n] == '/')) {
		n = strcspn(path, "/");
		if (n == 2 && strncmp(path, "..", 2) == 0) {
			char *last = out->len ? strrchr(out->p, '/') : NULL;

			inside &= last != NULL;
			if (last)
				*last = '\0';
			out->len = last ? (size_t)(last - out->p) : 0;
		} else if (n && !(n == 1 && *path == '.')) {
			buf_puts(out, "/");
			buf_add(out, path, n);
		}
	}
	return inside;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf path = BUF_INIT(ROOM), want = BUF_INIT(2 * ROOM);
	char *out, *again;
	bool inside;

	buf_add(&path, data, size);
	if (path.failed)
		return 0;
	/* Not one byte more than is asked for, so that a sanitizer sees. */
	out = malloc(strlen(path.p) + 1);
	if (!out)
		return 0;
	inside = cleanpath(path.p, out);
	if (inside != walk(path.p, &want) || strcmp(out, want.len ? want.p + 1 : "") != 0)
		abort();
	again = malloc(strlen(out) + 1);
	if (again && (!cleanpath(out, again) || strcmp(out, again) != 0))
		abort();
	free(again);
	free(out);
	return 0;
}
