/* SPDX-License-Identifier: Apache-2.0 */
#include "store/unpacker.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "spec/wire.h"
#include "store/blob.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROGRAM	   "caisson-unpack"
#define RESULT_MAX 4096
/* Where the child finds its descriptors. */
#define IN_FD	 3
#define OUT_FD	 4
#define ERR_FD	 5
#define SPILL_FD 6

struct unpacker {
	struct store *s;
	struct stage *st;
	pid_t pid;
	int result, err; /* read ends */
	int form;
	bool known; /* the diff id was known at the start */
};

struct result {
	const char *diff_id, *blob_digest;
	uint64_t blob_size, size, entries, tar_size;
};
static const struct jbind_field fields[] = {
    JB(struct result, diff_id, "diffId", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct result, blob_digest, "blobDigest", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct result, blob_size, "blobSize", JBIND_UINT, .flags = JBIND_REQUIRED),
    JB(struct result, size, "size", JBIND_UINT, .flags = JBIND_REQUIRED),
    JB(struct result, entries, "entries", JBIND_UINT),
    JB(struct result, tar_size, "tarSize", JBIND_UINT),
    JB_END,
};
static const struct jbind table = {sizeof(struct result), fields, false};

/* Start the program with two pipes back to us. */
static int launch(struct unpacker *u, const struct strs *args, const struct child_fd *fds, size_t n,
		  struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *path = store_helper(u->s, PROGRAM, &a);
	struct child_fd all[8];
	int out[2], err[2];
	struct child_opts o = {.path = path, .argv = args->v, .fds = all};

	if (!path)
		return err_set(e, ERR_NOT_FOUND, "the program " PROGRAM " is not installed");
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	u->result = out[0];
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(out[1]);
		return err_sys(e, "pipe");
	}
	u->err = err[0];
	for (; o.nfds < n; o.nfds++)
		all[o.nfds] = fds[o.nfds];
	all[o.nfds++] = (struct child_fd){out[1], 1};
	all[o.nfds++] = (struct child_fd){err[1], ERR_FD};
	u->pid = fault_point("unpacker-start");
	if (u->pid == 0)
		u->pid = child_start(&o);
	close(out[1]);
	close(err[1]);
	if (u->pid < 0) {
		errno = -u->pid;
		return err_sys(e, "cannot start " PROGRAM);
	}
	return 0;
}

static struct unpacker *make(struct store *s, struct stage *st)
{
	struct unpacker *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	*u = (struct unpacker){.s = s, .st = st, .pid = -1, .result = -1, .err = -1};
	return u;
}

static void release(struct unpacker *u)
{
	fd_close(u->result);
	fd_close(u->err);
	free(u);
}

/* A file without a name on the store's disk; -1 where there is none: then it is memory. */
static int spill_file(const struct stage *st)
{
	return openat(stage_fd(st), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int unpacker_start(struct store *s, struct stage *st, const struct unpacker_job *job,
		   struct unpacker **out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int fd = layer_stage(st, job->diff_id, (enum layer_form)job->form, e);
	auto_fd int spill = spill_file(st);
	struct child_fd fds[] = {{job->in_fd, IN_FD}, {fd, OUT_FD}, {spill, SPILL_FD}};
	struct unpacker *u;
	struct strs args = {0};
	int r;

	if (fd < 0)
		return fd;
	arena_strs_add(&a, &args, PROGRAM);
	arena_strs_add(&a, &args, "--in=3");
	arena_strs_add(&a, &args, job->form == LAYER_DIR ? "--out-dir=4" : "--out=4");
	arena_strs_add(&a, &args, "--err-fd=5");
	if (spill >= 0)
		arena_strs_add(&a, &args, "--spill=6");
	/* trusted.* is for root; an ordinary user's overlay reads user.* (rootfs.c, userxattr). */
	if (job->form == LAYER_DIR && userns_inside())
		arena_strs_add(&a, &args, "--marks=user");
	if (job->archive)
		arena_strs_add(&a, &args, "--archive");
	if (job->blob_digest)
		arena_strs_add(&a, &args, arena_printf(&a, "--blob-digest=%s", job->blob_digest));
	if (job->blob_size)
		arena_strs_add(&a, &args, arena_printf(&a, "--blob-size=%" PRIu64, job->blob_size));
	if (job->diff_id)
		arena_strs_add(&a, &args, arena_printf(&a, "--diff-id=%s", job->diff_id));
	u = make(s, st);
	u->form = job->form;
	u->known = job->diff_id != NULL;
	r = launch(u, &args, fds, spill >= 0 ? 3 : 2, e);
	if (r < 0) {
		release(u);
		return r;
	}
	*out = u;
	return 0;
}

/* What the program left in its error pipe, or else how it ended. */
static int reason(int err_fd, int status, struct err *e)
{
	unsigned char b[sizeof(struct err)];
	struct wire_frame f = {.data = b};

	f.len = (size_t)fd_read_full(err_fd, b, sizeof(b));
	if (f.len == sizeof(b))
		return wire_err(&f, e);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, PROGRAM " was killed by signal %d", WTERMSIG(status));
	return err_set(e, ERR_SYSTEM, PROGRAM " ended with code %d", WEXITSTATUS(status));
}

/* Collect the answer and the end of the program. */
static int await(struct unpacker *u, struct arena *a, struct result *res, struct err *e)
{
	char text[RESULT_MAX + 1];
	ssize_t n = fd_read_full(u->result, text, RESULT_MAX);
	int status, r;

	fault_point("unpacker-wait");
	r = child_wait(u->pid, &status);
	u->pid = -1;
	if (r < 0 || status != 0)
		return reason(u->err, status, e);
	if (n < 0 || !res)
		return n < 0 ? (int)n : 0;
	r = jbind_parse(&table, text, (size_t)n, res, a, "answer of " PROGRAM, e);
	if (r >= 0 && (!digest_valid(res->diff_id) || !digest_valid(res->blob_digest)))
		r = err_set(e, ERR_CORRUPT, "answer of " PROGRAM " is malformed");
	return r;
}

int unpacker_finish(struct unpacker *u, struct arena *a, struct layer *l, struct err *e)
{
	struct result res = {0};
	int r = await(u, a, &res, e);

	if (r >= 0 && !u->known)
		r = layer_identify(u->st, res.diff_id, (enum layer_form)u->form, e);
	if (r >= 0) {
		*l = (struct layer){
		    .diff_id = res.diff_id,
		    .blob_digest = res.blob_digest,
		    .blob_size = res.blob_size,
		    .form = u->form,
		    .size = res.size,
		    .tar_size = res.tar_size,
		    .entries = res.entries,
		};
		r = layer_commit(u->s, u->st, l, e);
	}
	release(u);
	return r;
}

int unpacker_fd(const struct unpacker *u)
{
	return u->result;
}

void unpacker_cancel(struct unpacker *u)
{
	if (!u)
		return;
	child_kill(u->pid);
	release(u);
}

static int remake(struct store *s, const char *diff_id, const char *blob_digest,
		  enum layer_form form, struct arena *a, struct layer *out, struct err *e)
{
	auto_fd int blob = blob_open(s, blob_digest, NULL);
	struct unpacker_job job = {
	    .in_fd = blob, .blob_digest = blob_digest, .diff_id = diff_id, .form = (int)form};
	struct stage *st = NULL;
	struct unpacker *u;
	int r;

	if (blob < 0)
		return err_set(e, ERR_NOT_FOUND, "layer %.19s is missing; pull the image again",
			       diff_id);
	r = stage_new(s, &st, e);
	if (r >= 0)
		r = stage_lease(st, STAGE_LAYER, digest_hex(diff_id), e);
	if (r >= 0)
		r = unpacker_start(s, st, &job, &u, e);
	if (r >= 0)
		r = unpacker_finish(u, a, out, e);
	stage_free(st);
	return r < 0 ? err_wrap(e, r, "layer %.19s", diff_id) : r;
}

int unpacker_need(struct store *s, const char *diff_id, const char *blob_digest,
		  enum layer_form form, struct arena *a, struct layer *out, struct err *e)
{
	int r = layer_find_form(s, diff_id, form, a, out, e);

	if (r >= 0 || !blob_digest)
		return r;
	return remake(s, diff_id, blob_digest, form, a, out, e);
}

/* ---- merged metadata ---- */

static const char *staged_meta(const char *chain, struct arena *a)
{
	return arena_printf(a, "meta-%s.erofs", chain);
}

int unpacker_meta_stage(struct store *s, struct stage *st, const char *chain,
			const struct strs *layers, struct arena *a, struct err *e)
{
	const char *name = staged_meta(chain, a);
	struct unpacker *u = make(s, st);
	struct strs args = {0};
	int r, fd;

	arena_strs_add(a, &args, PROGRAM);
	arena_strs_add(a, &args, "--err-fd=5");
	arena_strs_add(a, &args, "--merge");
	arena_strs_add(a, &args, arena_printf(a, "%s/%s/%s", s->root, stage_path(st), name));
	for (size_t i = 0; i < layers->n; i++)
		arena_strs_add(a, &args, layers->v[i]);
	r = launch(u, &args, NULL, 0, e);
	if (r >= 0)
		r = await(u, a, NULL, e);
	release(u);
	if (r < 0)
		return r;
	fd = openat(stage_fd(st), name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "merged image") : fd;
}

static int merge(struct store *s, struct stage *st, const char *chain, const struct strs *layers,
		 struct arena *a, struct err *e)
{
	auto_fd int dir = store_dir(s, "metas", e);
	auto_fd int fd = dir < 0 ? dir : unpacker_meta_stage(s, st, chain, layers, a, e);

	if (fd < 0)
		return fd;
	if (fault_point("meta-rename") < 0 || fdatasync(fd) < 0 ||
	    renameat(stage_fd(st), staged_meta(chain, a), dir, arena_printf(a, "%s.erofs", chain)) <
		0 ||
	    fsync(dir) < 0)
		return err_sys(e, "merged image");
	return 0;
}

int unpacker_meta(struct store *s, const char *chain, const struct strs *layers, struct arena *a,
		  const char **out, struct err *e)
{
	const char *path = arena_printf(a, "%s/metas/%s.erofs", s->root, chain);
	struct stage *st = NULL;
	int r;

	/* Written whole and synced before it has this name. */
	if (access(path, R_OK) == 0) {
		*out = path;
		return 0;
	}
	r = stage_new(s, &st, e);
	if (r >= 0)
		r = stage_lease(st, STAGE_META, chain, e);
	if (r >= 0)
		r = merge(s, st, chain, layers, a, e);
	stage_free(st);
	if (r >= 0)
		*out = path;
	return r;
}
