/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cleanpath.h"

#include <string.h>

bool cleanpath(const char *path, char *out)
{
	bool inside = true;
	char *w = out;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			inside &= w > out;
			while (w > out && *--w != '/')
				;
		} else if (n && !(n == 1 && *path == '.')) {
			if (w > out)
				*w++ = '/';
			memmove(w, path, n);
			w += n;
		}
		path += n;
		path += *path == '/';
	}
	*w = 0;
	return inside;
}
