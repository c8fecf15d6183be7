/* SPDX-License-Identifier: Apache-2.0 */
/* file - whole files: read at once, replaced at once.  0 or -errno. */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Read dir_fd/name whole, at most max bytes; *data is malloc'ed and NUL-terminated.  Returns
 * length. */
ssize_t file_read(int dir_fd, const char *name, size_t max, char **data);

/* The same for a file that is never written in place (file_replace()): one read, when it is small,
 * for there a short one is the end. */
ssize_t file_read_doc(int dir_fd, const char *name, size_t max, char **data);

enum file_sync { FILE_LAZY, FILE_DURABLE };

/* Replace dir_fd/name by data: written beside as ".NAME.tmp-XXXXXX", renamed, so that a reader or a
 * crash sees the old or the new file.  FILE_DURABLE also syncs the file before and the directory
 * after the rename (what must survive a power cut), for which dir_fd may not be O_PATH; FILE_LAZY
 * is for what may vanish at boot. */
int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		 enum file_sync sync);
/* The same for a path as somebody typed it. */
int file_replace_path(const char *path, const void *data, size_t len, mode_t mode,
		      enum file_sync sync);

/* Write one string to an existing file, in one write(2): cgroup, sysctl and /proc files. */
int file_put(int dir_fd, const char *name, const char *value);

#endif
