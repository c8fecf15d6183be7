/* SPDX-License-Identifier: Apache-2.0 */
/* pkgdb - whatever a package database says, names are there and can be shown.  The first byte
 * chooses the form. */
#include "base/arena.h"
#include "fmt/pkgdb.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(void *arg, const struct pkgdb_package *p, struct err *e)
{
	if (!p->name || !*p->name || strpbrk(p->name, "\n\r\t\033") || strlen(p->name) > 512)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct pkgdb_sink to = {.arena = &a, .fn = look};
	/* A copy of exactly this size, so that a step outside is seen. */
	char *text = malloc(size ? size : 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	if (size > 0) {
		const char *p = text + 1;

		switch (text[0]) {
		case 'd':
			pkgdb_dpkg(p, size - 1, &to, NULL);
			break;
		case 'a':
			pkgdb_apk(p, size - 1, &to, NULL);
			break;
		case 'p':
			pkgdb_python(p, size - 1, &to, NULL);
			break;
		case 'n':
			pkgdb_node(p, size - 1, &to, NULL);
			break;
		case 'o':
			pkgdb_os_release(p, size - 1, "ID", &a);
			break;
		default:
			pkgdb_rpm(p, size - 1, &to, NULL);
		}
	}
	free(text);
	return 0;
}
