/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vmlayer.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/session.h"
#include "engine/vmfiles.h"
#include "fmt/limits.h"
#include "store/helper.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/child.h"

#include <fcntl.h>
#include <unistd.h>

#define SPOOL "upper.tar"
#define BLOCK 512

/* The end of an archive is blocks of zeros: one that begins with them has nothing in it. */
static bool is_empty(int spool)
{
	unsigned char b[BLOCK];
	ssize_t n = pread(spool, b, sizeof(b), 0);

	for (ssize_t i = 0; i < n; i++)
		if (b[i])
			return false;
	return n == 0 || n == BLOCK;
}

static int compress(struct store *store, struct stage *st, int spool, const struct vmlayer *v,
		    struct arena *a, struct layer_made *out, struct err *e)
{
	auto_helper struct helper h = HELPER_INIT;
	struct child_fd from = {spool, 6};
	struct strs args = {0};
	ssize_t n;
	int r;

	if (lseek(spool, 0, SEEK_SET) < 0)
		return err_sys(e, "layer");
	arena_strs_add(a, &args, "--from=6");
	arena_strs_add(a, &args, arena_printf(a, "--codec=%s", v->codec));
	r = helper_start(store, "caisson-pack", &args, &from, 1, &h, e);
	if (r >= 0)
		r = layer_make_read(store, st, h.out, "the guest's layer", a, out, e);
	if (r < 0)
		return r;
	n = helper_finish(&h, 0, NULL, e);
	return n < 0 ? (int)n : 1;
}

int vmlayer_make(struct session *s, struct stage *st, const struct instance *i,
		 const struct vmlayer *v, struct arena *a, struct layer_made *out, struct err *e)
{
	auto_fd int spool =
	    openat(stage_fd(st), SPOOL, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct vmfiles get = {.words = v->words, .in = -1, .out = spool, .max = LIMIT_TAR_BYTES};
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0 && spool < 0)
		r = err_sys(e, "cannot write to the store");
	/* Into a file first: how it is compressed is not for the guest to choose. */
	if (r >= 0)
		r = vmfiles_run(s, i, &get, e);
	if (r >= 0)
		r = v->may_be_none && is_empty(spool) ? 0
						      : compress(store, st, spool, v, a, out, e);
	unlinkat(stage_fd(st), SPOOL, 0);
	return r;
}
