/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/detachkeys.h"
#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define DEL 0x7f

static int one_key(const char *s, size_t n, char *out)
{
	const char *rest = str_after(s, "ctrl-");

	if (n == 1) {
		*out = *s;
		return 0;
	}
	if (n == 3 && strncmp(s, "DEL", 3) == 0) {
		*out = DEL;
		return 0;
	}
	if (!rest || n != 6)
		return -EINVAL;
	if (!islower((unsigned char)*rest) && !strchr("@[\\]^_", *rest))
		return -EINVAL;
	*out = (char)(*rest & 0x1f);
	return 0;
}

int detachkeys_parse(const char *text, struct detachkeys *out, struct err *e)
{
	bool more = *text;

	*out = (struct detachkeys){0};
	for (const char *s = text; more;) {
		size_t n = strcspn(s, ",");

		if (out->n == DETACHKEYS_MAX)
			return err_set(e, ERR_USAGE, "at most %d detach keys are possible",
				       DETACHKEYS_MAX);
		if (one_key(s, n, &out->keys[out->n++]) < 0)
			return err_set(e, ERR_USAGE,
				       "Invalid detach keys (%.64s) provided: keys are such as "
				       "ctrl-p,ctrl-q",
				       text);
		more = s[n] == ',';
		s += n + 1;
	}
	return 0;
}

bool detachkeys_scan(struct detachkeys *k, const char *in, size_t n, char *out, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < n; i++) {
		if (k->n && in[i] == k->keys[k->at]) {
			if (++k->at == k->n)
				return true;
			continue;
		}
		memcpy(out + *len, k->keys, k->at);
		*len += k->at;
		k->at = k->n && in[i] == k->keys[0] ? 1 : 0;
		if (!k->at)
			out[(*len)++] = in[i];
	}
	return false;
}
