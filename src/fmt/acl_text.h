/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl_text - an ACL as tar archives carry it in words (SCHILY.acl.access, SCHILY.acl.default) to
 * the attribute that the kernel keeps.
 *
 * Entries "tag:who:perms[:number]" between commas or newlines, tag "user", "group", "mask" or
 * "other" or its first letter, "default:" before it allowed, '#' begins a comment.  Who is named by
 * name only cannot be known here: no account file of ours says who that is.
 * Source: acl(5), "ACL TEXT FORMS"; star(4), "SCHILY.acl.access"; linux/posix_acl_xattr.h.
 */
#ifndef FMT_ACL_TEXT_H
#define FMT_ACL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define ACL_TEXT_ENTRIES 1024
#define ACL_TEXT_MAX	 (4 + 8 * ACL_TEXT_ENTRIES) /* bytes of the attribute */

/* Writes the attribute (ACL_TEXT_MAX bytes of room), sorted as the kernel wants it, and returns its
 * length; 0 when there is none in the text.  -ENOENT: somebody is named without a number; -EBADMSG
 * malformed; -E2BIG. */
int acl_text_parse(const char *p, size_t len, uint8_t *out);

#endif
