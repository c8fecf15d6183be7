/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spill - memory for what a layer needs remembered until its end (names, attributes, file tails),
 * of which there is no telling how much: the first SPILL_FREE bytes are ordinary memory, everything
 * behind them lies in a file that nobody can name, mapped, so that the kernel may write it out and
 * take the pages back whenever memory is short.  Without a file, or without room in it, all of it
 * is ordinary memory.
 *
 * Space is reserved before it is mapped: a full disk is found here, not by a SIGBUS later.
 */
#ifndef UNPACK_SPILL_H
#define UNPACK_SPILL_H

#include <stddef.h>
#include <stdint.h>

struct arena_source;
struct spill;

#define SPILL_FREE (UINT64_C(2) << 20)

/* fd: an empty regular file open for reading and writing, borrowed; -1: none. */
struct spill *spill_new(int fd);
/* Also unmaps all that was given out. */
void spill_free(struct spill *s);

const struct arena_source *spill_source(struct spill *s);

/* Let go of the pages of the file: they are read again (from the page cache, as a rule) when they
 * are looked at.  For loops over everything; s may be NULL. */
void spill_cool(struct spill *s);

/* Bytes in the file. */
uint64_t spill_size(const struct spill *s);

#endif
