/* SPDX-License-Identifier: Apache-2.0 */
/* archive - where commands write an archive, and where they read one. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

struct err;

/* Standard output, or the file; SIGPIPE becomes an error value.  ERR_USAGE a terminal. */
int archive_to(const char *file, struct err *e);
/* r < 0: half an archive is none, and the file goes.  Returns r. */
int archive_end(const char *file, int r);

#endif
