/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountinfo - the lines of /proc/PID/mountinfo.
 *
 * The kernel writes them, but names in them are whatever somebody mounted: octal escapes are
 * undone here, and a line that does not have the shape of the manual is passed over.
 * Source: proc(5), "/proc/pid/mountinfo"; Documentation/filesystems/proc.rst, 3.5.
 */
#ifndef FMT_MOUNTINFO_H
#define FMT_MOUNTINFO_H

#include <stdbool.h>
#include <stdint.h>

struct mountinfo_entry {
	int64_t id, parent;
	uint32_t major, minor;
	const char *root;    /* which directory of the file system is mounted */
	const char *target;  /* where, as the reader's root sees it */
	const char *options; /* of the mount: "rw,relatime" */
	const char *tags;    /* optional fields: "shared:1 master:2", or "" */
	const char *type, *source, *super;
};

/* Step to the next good line.  *text: a NUL-terminated buffer that is cut up and unescaped in
 * place and advanced; the entry's strings point into it.  False: no more. */
bool mountinfo_next(char **text, struct mountinfo_entry *out);

/* Is word one of the comma-separated words of list? */
bool mountinfo_has(const char *list, const char *word);

#endif
