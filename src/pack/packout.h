/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packout - the end of the pipe: bytes of a tar, compressed or not, onto a descriptor.
 *
 * The same bytes in give the same bytes out, on any processor: gzip is zlib's (ISA-L's deflate
 * chooses its matches by the instruction set it finds), without a name or a time in its header;
 * zstd is written by one thread at a fixed level.
 */
#ifndef PACK_PACKOUT_H
#define PACK_PACKOUT_H

#include <stddef.h>

struct err;
struct packout;

enum packout_codec { PACKOUT_NONE, PACKOUT_GZIP, PACKOUT_ZSTD };
extern const char *const packout_names[]; /* "none", "gzip", "zstd", NULL */

/* fd is borrowed.  Errors: ERR_SYSTEM when there is no memory for the codec. */
int packout_open(int fd, enum packout_codec codec, struct packout **out, struct err *e);
int packout_write(struct packout *o, const void *data, size_t len, struct err *e);
/* Write what is left and the end mark. */
int packout_finish(struct packout *o, struct err *e);
void packout_free(struct packout *o);

#endif
