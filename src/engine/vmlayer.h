/* SPDX-License-Identifier: Apache-2.0 */
/* vmlayer - what a VM changed in its image's files becomes a layer: its agent packs, we read it as
 * an image author's. */
#ifndef ENGINE_VMLAYER_H
#define ENGINE_VMLAYER_H

#include "engine/layer_make.h"

struct instance;
struct session;

struct vmlayer {
	const struct strs *words; /* of a request for a layer, files/filework.h */
	const char *codec;	  /* "gzip", "zstd", "none" */
	bool may_be_none;	  /* an archive without files is no layer */
};

/* 1, or 0 when there is none.  Errors: what the guest says, ERR_LIMIT, ERR_CORRUPT. */
int vmlayer_make(struct session *s, struct stage *st, const struct instance *i,
		 const struct vmlayer *v, struct arena *a, struct layer_made *out, struct err *e);

#endif
