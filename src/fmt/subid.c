/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/subid.h"
#include "fmt/passwd.h"

#include <stdbool.h>
#include <string.h>

static bool owner_is(const char *s, size_t len, const char *name, uint32_t uid)
{
	uint32_t id;

	if (name && strlen(name) == len && memcmp(name, s, len) == 0)
		return true;
	return passwd_id(s, len, &id) && id == uid;
}

static bool line_read(const char *line, size_t len, const char *name, uint32_t uid,
		      struct subid *out)
{
	const char *first = memchr(line, ':', len), *count;
	const char *end = line + len;

	count = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
	if (!count || first == line || !owner_is(line, (size_t)(first - line), name, uid))
		return false;
	if (!passwd_id(first + 1, (size_t)(count - first - 1), &out->first) ||
	    !passwd_id(count + 1, (size_t)(end - count - 1), &out->count))
		return false;
	/* The last id means "no change" to the kernel and belongs to nobody. */
	return out->count && out->first && out->count <= UINT32_MAX - out->first;
}

size_t subid_ranges(const char *text, const char *name, uint32_t uid, struct subid *out, size_t max)
{
	size_t n = 0;

	while (*text && n < max) {
		size_t len = strcspn(text, "\n");

		n += line_read(text, len, name, uid, &out[n]);
		text += len + (text[len] == '\n');
	}
	return n;
}
