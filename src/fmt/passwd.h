/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd - the account files of an image: text that its author wrote.
 *
 * A line with a malformed or overflowing number is skipped, never rounded or wrapped: an id that
 * wraps to 0 would make the process root (CVE-2024-40635).  Source: passwd(5), group(5).
 */
#ifndef FMT_PASSWD_H
#define FMT_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal id, 0 .. 4294967294 (the last one means "no change" to the kernel). */
bool passwd_id(const char *s, size_t len, uint32_t *id);

struct passwd_user {
	uint32_t uid, gid;
	const char *name, *home; /* views into the text, with their lengths */
	size_t name_len, home_len;
};

/* The first account called name, or, with name NULL, the first with this uid. */
bool passwd_find_user(const char *text, const char *name, uint32_t uid, struct passwd_user *out);
bool passwd_find_group(const char *text, const char *name, uint32_t *gid);

/* The ids of the groups that list the user as a member: at most max of them into gids; returns how
 * many there are in all. */
size_t passwd_member_of(const char *text, const char *user, size_t user_len, uint32_t *gids,
			size_t max);

#endif
