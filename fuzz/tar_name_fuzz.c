/* SPDX-License-Identifier: Apache-2.0 */
/* tar_name - any name is refused or becomes canonical, and a canonical one stays as it is. */
#include "base/err.h"
#include "fmt/tar_name.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tar_name n, again;
	struct err e = ERR_INIT;
	const char *rest, *comp;
	size_t len, total = 0;

	if (tar_name_parse((const char *)data, size, &n, &e) < 0) {
		if (e.kind != ERR_CORRUPT && e.kind != ERR_LIMIT)
			abort();
		return 0;
	}
	if (n.len != strlen(n.path) || n.len > LIMIT_PATH)
		abort();
	rest = n.path;
	while ((len = tar_name_next(&rest, &comp))) {
		if (len > LIMIT_NAME || (len == 1 && *comp == '.') ||
		    (len == 2 && !memcmp(comp, "..", 2)) || memchr(comp, '/', len))
			abort();
		total += len + 1;
	}
	if (n.len && total != n.len + 1)
		abort();
	if (n.kind == TAR_NAME_ENTRY && (tar_name_parse(n.path, n.len, &again, &e) < 0 ||
					 again.kind != n.kind || strcmp(again.path, n.path)))
		abort();
	return 0;
}
