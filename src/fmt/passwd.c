/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/passwd.h"

#include <string.h>

struct field {
	const char *p;
	size_t n;
};

bool passwd_id(const char *s, size_t len, uint32_t *id)
{
	uint64_t v = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v >= UINT32_MAX)
		return false;
	*id = (uint32_t)v;
	return true;
}

/* Split the next line at ':' into at most max fields; moves *text behind it.  Returns the number of
 * fields, 0 at the end of the text. */
static size_t next_line(const char **text, struct field *f, size_t max)
{
	const char *p = *text, *end;
	size_t n = 0;

	if (!*p)
		return 0;
	end = strchrnul(p, '\n');
	while (n < max) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		f[n++] = (struct field){p, (size_t)((colon ? colon : end) - p)};
		if (!colon)
			break;
		p = colon + 1;
	}
	*text = *end ? end + 1 : end;
	return n;
}

static bool is(const struct field *f, const char *s, size_t len)
{
	return f->n == len && memcmp(f->p, s, len) == 0;
}

bool passwd_find_user(const char *text, const char *name, uint32_t uid, struct passwd_user *out)
{
	size_t len = name ? strlen(name) : 0, n;
	struct field f[7];

	while ((n = next_line(&text, f, 7))) {
		struct passwd_user u = {0};

		if (n < 4 || !passwd_id(f[2].p, f[2].n, &u.uid) ||
		    !passwd_id(f[3].p, f[3].n, &u.gid))
			continue;
		if (name ? !is(&f[0], name, len) : u.uid != uid)
			continue;
		u.name = f[0].p;
		u.name_len = f[0].n;
		u.home = n > 5 ? f[5].p : "";
		u.home_len = n > 5 ? f[5].n : 0;
		*out = u;
		return true;
	}
	return false;
}

bool passwd_find_group(const char *text, const char *name, uint32_t *gid)
{
	size_t len = strlen(name), n;
	struct field f[4];

	while ((n = next_line(&text, f, 4)))
		if (n >= 3 && is(&f[0], name, len) && passwd_id(f[2].p, f[2].n, gid))
			return true;
	return false;
}

static bool lists(const struct field *members, const char *user, size_t user_len)
{
	const char *p = members->p, *end = p + members->n;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		struct field m = {p, (size_t)((comma ? comma : end) - p)};

		if (is(&m, user, user_len))
			return true;
		p += m.n + 1;
	}
	return false;
}

size_t passwd_member_of(const char *text, const char *user, size_t user_len, uint32_t *gids,
			size_t max)
{
	size_t count = 0, n;
	struct field f[4];
	uint32_t gid;

	while ((n = next_line(&text, f, 4))) {
		if (n < 4 || !passwd_id(f[2].p, f[2].n, &gid) || !lists(&f[3], user, user_len))
			continue;
		if (count < max)
			gids[count] = gid;
		count++;
	}
	return count;
}
