/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink - where the bytes of a layer's regular files go while the tar is read: one EROFS image
 * (unpack/erofs_data.h) or files in a directory (unpack/dir_sink.h).
 *
 * Everything else about an entry waits in the tree (unpack/tree.h) until the tar has ended well;
 * then the same module writes it out.  So a tar entry never names anything that exists on the host.
 */
#ifndef UNPACK_SINK_H
#define UNPACK_SINK_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct tarpax_run;
struct tree_inode;

struct sink {
	/* A file begins; inode has its size and attributes.  runs: where data is in a sparse one;
	 * nruns is 0 for an ordinary one. */
	int (*begin)(void *arg, struct tree_inode *inode, const struct tarpax_run *runs,
		     size_t nruns, struct err *e);
	/* Bytes at an offset: ascending, never overlapping, never past the size. */
	int (*data)(void *arg, const void *p, size_t len, uint64_t off, struct err *e);
	int (*end)(void *arg, struct err *e);
	void *arg;
};

#endif
