/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - files between instances, the user's own directories and archives.
 *
 * Two processes and a pipe: one caisson-copy reads, another writes, each locked into its own tree.
 * What goes through the pipe is a tar archive, which is also what a user's "-" is.
 */
#ifndef ENGINE_COPY_H
#define ENGINE_COPY_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

struct copy_end {
	const char *instance; /* NULL: the user's own files */
	const char *path;     /* NULL: an archive, on fd */
	int fd;
};

enum copy_flags {
	COPY_ARCHIVE = 1, /* owners, setuid bits and devices stay as they are */
	COPY_FOLLOW = 2,  /* what a link points to instead of the link */
};

/* As docker's cp.  *bytes: of files written, 0 for an archive.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT, ERR_USAGE, ERR_UNSUPPORTED, ... */
int copy_run(struct session *s, const struct copy_end *from, const struct copy_end *to,
	     unsigned int flags, uint64_t *bytes, struct err *e);

struct arena;
struct copy_stat {
	unsigned int mode; /* as stat(2) */
	uint64_t size;
	int64_t changed_ns; /* its content; since the epoch */
	const char *target; /* of a link: where it leads in the end, from the root; else "" */
};
/* What a path of an instance is; its own last component is not followed. */
int copy_stat(struct session *s, const char *instance, const char *path, struct arena *a,
	      struct copy_stat *out, struct err *e);

/* All files of an instance, without what is mounted in it, as an archive onto fd: docker's export.
 */
int copy_export(struct session *s, const char *instance, int fd, struct err *e);

#endif
