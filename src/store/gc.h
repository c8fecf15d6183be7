/* SPDX-License-Identifier: Apache-2.0 */
/* gc - deletes what no image record, build cache entry or live stage names: blobs, layers, merged
 * images. Works on a full disk: nothing is written. */
#ifndef STORE_GC_H
#define STORE_GC_H

#include <stdint.h>

struct err;
struct store;

struct gc_result {
	uint64_t blobs, layers, metas; /* how many went */
	uint64_t bytes;		       /* disk space they took */
};

/* Takes STORE_EXCLUSIVE. out may be NULL. */
int gc_run(struct store *s, struct gc_result *out, struct err *e);

#endif
