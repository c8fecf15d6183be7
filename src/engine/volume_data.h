/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume_data - the files of a volume as a tar archive, out and in: owners, modes, times, links,
 * devices and extended attributes; what is zero in the archive is a hole in the volume.
 *
 * caisson-copy does it (src/copy), which sees nothing but the volume's directory.  Nobody is kept
 * from writing meanwhile, as with `cp`.
 */
#ifndef ENGINE_VOLUME_DATA_H
#define ENGINE_VOLUME_DATA_H

struct err;
struct session;

/* fd: a file or a pipe.  SIGPIPE is to be ignored by the program.  ERR_NOT_FOUND. */
int volume_data_export(struct session *s, const char *name, int fd, struct err *e);
/* What is there and not in the archive stays.  ERR_CORRUPT the archive. */
int volume_data_import(struct session *s, const char *name, int fd, struct err *e);

#endif
