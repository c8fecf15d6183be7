/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/layer_make.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "spec/wire.h"
#include "store/blob.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	(256 << 10)
#define PROGRAM "caisson-pack"
/* Where the child finds its descriptors. */
#define DIR_FD 3
#define ERR_FD 4

/* ---- from a descriptor ---- */

struct reading {
	struct store *s;
	struct stage *st;
	const char *what;
	const char *media_type;
	bool archive;
	struct unpacker *unpacker;
};

static const char *media_type(const unsigned char *p, size_t n)
{
	if (n > 2 && p[0] == 0x1f && p[1] == 0x8b)
		return OCI_TYPE_LAYER "+gzip";
	if (n > 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd)
		return OCI_TYPE_LAYER "+zstd";
	return OCI_TYPE_LAYER;
}

/* 0, or -EPIPE when the unpacker has seen enough; a socket, because a pipe would send SIGPIPE. */
static int feed(int sock, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(sock, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* The same bytes to the blob and to the unpacker. */
static int copy(struct reading *m, int from, int blob, int sock, struct err *e)
{
	auto_free char *b = malloc(CHUNK);

	if (!b)
		abort();
	for (;;) {
		ssize_t n = fd_read_full(from, b, CHUNK);

		if (n <= 0) {
			errno = (int)-n;
			return n < 0 ? err_sys(e, "'%s'", m->what) : 0;
		}
		if (!m->media_type)
			m->media_type = media_type((unsigned char *)b, (size_t)n);
		errno = -fd_write_all(blob, b, (size_t)n);
		if (errno)
			return err_sys(e, "cannot write to the store");
		/* Why it stopped, the unpacker says itself. */
		if (feed(sock, b, (size_t)n) < 0)
			return 0;
	}
}

static int read_through(struct reading *m, int fd, struct err *e)
{
	auto_fd int blob = blob_stage(m->st, NULL, e);
	auto_fd int ours = -1;
	auto_fd int theirs = -1;
	struct unpacker_job job = {0};
	enum layer_form form;
	int pair[2], r = blob;

	if (r >= 0)
		r = rootfs_form(m->s, &form, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	job.in_fd = theirs;
	job.form = (int)form;
	job.archive = m->archive;
	r = unpacker_start(m->s, m->st, &job, &m->unpacker, e);
	close(take_fd(&theirs));
	if (r < 0)
		return r;
	r = copy(m, fd, blob, ours, e);
	if (r < 0)
		unpacker_cancel(take_ptr(&m->unpacker));
	return r;
}

/* Nothing could be leased while the digests were not known: the lock holds collection off until
 * they are. */
static int publish(struct reading *m, struct arena *a, struct layer_made *out, struct err *e)
{
	auto_fd int lock = store_lock(m->s, STORE_SHARED, e);
	struct layer *l = &out->layer;
	int r;

	if (lock < 0) {
		unpacker_cancel(m->unpacker);
		return lock;
	}
	r = unpacker_finish(m->unpacker, a, l, e);
	if (r >= 0)
		r = stage_lease(m->st, STAGE_LAYER, digest_hex(l->diff_id), e);
	if (r >= 0)
		r = stage_lease(m->st, STAGE_BLOB, digest_hex(l->blob_digest), e);
	if (r >= 0)
		r = blob_identify(m->st, l->blob_digest, e);
	if (r >= 0)
		r = blob_commit(m->s, m->st, l->blob_digest, l->blob_size, e);
	out->media_type = m->media_type;
	return r;
}

int layer_make_read(struct store *s, struct stage *st, int fd, const char *what, struct arena *a,
		    struct layer_made *out, struct err *e)
{
	struct reading m = {.s = s, .st = st, .what = what};
	int r = read_through(&m, fd, e);

	return r < 0 ? r : publish(&m, a, out, e);
}

int layer_make_unpack(struct store *s, struct stage *st, int fd, const char *what, struct arena *a,
		      struct layer_made *out, struct err *e)
{
	struct reading m = {.s = s, .st = st, .what = what, .archive = true};
	int r = read_through(&m, fd, e);

	return r < 0 ? r : publish(&m, a, out, e);
}

/* ---- from a directory ---- */

struct packer {
	pid_t pid;
	int err; /* read end */
};

/* Of a tree, or of an archive that is only to be compressed. */
static void pack_args(const struct layer_pack *p, struct arena *a, struct strs *args)
{
	static const char *const marks[] = {"no", "trusted", "user", "fuse"};

	arena_strs_add(a, args, PROGRAM);
	arena_strs_add(a, args, p->archive ? "--from=3" : "--dir=3");
	arena_strs_add(a, args, "--err-fd=4");
	arena_strs_add(a, args, arena_printf(a, "--codec=%s", p->codec));
	if (p->archive)
		return;
	arena_strs_add(a, args, arena_printf(a, "--overlay=%s", marks[p->marks]));
	if (p->epoch_set)
		arena_strs_add(a, args, arena_printf(a, "--epoch=%" PRId64, p->epoch));
	if (p->owner_root)
		arena_strs_add(a, args, "--owner-root");
	for (size_t i = 0; p->skip && i < p->skip->n; i++)
		arena_strs_add(a, args, arena_printf(a, "--skip=%s", p->skip->v[i]));
}

static int packer_start(struct store *s, const struct layer_pack *p, int out_fd, struct packer *k,
			struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *path = store_helper(s, PROGRAM, &a);
	struct strs args = {0};
	int err[2];
	struct child_opts o = {.path = path, .nfds = 3};

	if (!path)
		return err_set(e, ERR_NOT_FOUND, "the program " PROGRAM " is not installed");
	if (pipe2(err, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pack_args(p, &a, &args);
	o.argv = args.v;
	o.fds = (struct child_fd[]){{out_fd, 1}, {p->dir_fd, DIR_FD}, {err[1], ERR_FD}};
	k->pid = child_start(&o);
	close(err[1]);
	k->err = err[0];
	if (k->pid >= 0)
		return 0;
	close(err[0]);
	errno = -k->pid;
	return err_sys(e, "cannot start " PROGRAM);
}

/* Its verdict: what it says comes from a process that read hostile names, and is checked like it.
 */
static int packer_wait(struct packer *k, struct err *e)
{
	unsigned char said[sizeof(struct err)];
	struct wire_frame f = {.data = said};
	int status = 0;

	f.len = (size_t)fd_read_full(k->err, said, sizeof(said));
	close(k->err);
	child_wait(k->pid, &status);
	if (f.len == sizeof(said))
		return wire_err(&f, e);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_SYSTEM, PROGRAM " ended with status %d and said nothing", status);
}

int layer_make_archive(struct store *s, const struct layer_pack *p, int fd, struct err *e)
{
	struct packer k = {0};
	int r = packer_start(s, p, fd, &k, e);

	return r < 0 ? r : packer_wait(&k, e);
}

/* What the packer says becomes a layer; *verdict is its own. */
static int read_packed(struct store *s, const struct layer_pack *p, struct reading *m, int *verdict,
		       struct err *e)
{
	struct packer k = {0};
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	r = packer_start(s, p, fds[1], &k, e);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	r = read_through(m, fds[0], e);
	close(fds[0]);
	*verdict = packer_wait(&k, r < 0 ? NULL : e);
	return r;
}

int layer_make_pack(struct store *s, struct stage *st, const struct layer_pack *p, struct arena *a,
		    struct layer_made *out, struct err *e)
{
	struct reading m = {.s = s, .st = st, .what = "a layer"};
	int packed = 0, r = read_packed(s, p, &m, &packed, e);

	/* The packer's verdict explains more than the half archive that the unpacker got. */
	if (r >= 0 && packed < 0) {
		unpacker_cancel(m.unpacker);
		return packed;
	}
	return r < 0 ? r : publish(&m, a, out, e);
}

/* ---- from one of our own processes ---- */

static void writer_main(const struct layer_stream *from, int fd, int err_fd)
{
	struct err e = ERR_INIT;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = from->write(from->ctx, fd, &e);
	if (r < 0 && r != -EPIPE)
		(void)!write(err_fd, &e, sizeof(e));
	_exit(r < 0);
}

static int writer_start(const struct layer_stream *from, struct packer *k, int *out, struct err *e)
{
	int data[2], err[2];

	if (pipe2(data, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	(void)fcntl(data[1], F_SETPIPE_SZ, 1 << 20);
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(data[0]);
		close(data[1]);
		return err_sys(e, "pipe");
	}
	k->pid = fork();
	if (k->pid == 0) {
		close(data[0]);
		close(err[0]);
		writer_main(from, data[1], err[1]);
	}
	close(data[1]);
	close(err[1]);
	k->err = err[0];
	*out = data[0];
	if (k->pid > 0)
		return 0;
	close(data[0]);
	close(err[0]);
	return err_sys(e, "fork");
}

/* 0, what it says itself, or -EPIPE when it only saw that nobody reads. */
static int writer_wait(struct packer *k, struct err *e)
{
	struct wire_frame f = {0};
	unsigned char said[sizeof(struct err)];
	int status = 0;

	f.data = said;
	f.len = (size_t)fd_read_full(k->err, said, sizeof(said));
	close(k->err);
	child_wait(k->pid, &status);
	if (f.len == sizeof(said))
		return wire_err(&f, e);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPIPE;
}

int layer_make_stream(struct store *s, struct stage *st, const struct layer_stream *from,
		      struct arena *a, struct layer_made *out, struct err *e)
{
	struct reading m = {.s = s, .st = st, .what = "a layer"};
	struct layer_pack p = {.archive = true, .codec = from->codec};
	struct packer writer = {0};
	struct err why = ERR_INIT, said = ERR_INIT;
	int packed = 0, wrote, r = writer_start(from, &writer, &p.dir_fd, e);

	if (r < 0)
		return r;
	r = read_packed(s, &p, &m, &packed, &why);
	close(p.dir_fd);
	wrote = writer_wait(&writer, &said);
	/* Whoever is nearest to the source knows best, unless it only lost its reader. */
	if (wrote < 0 && wrote != -EPIPE) {
		r = r < 0 ? r : (unpacker_cancel(m.unpacker), wrote);
		why = said;
	} else if (r >= 0 && (packed < 0 || wrote < 0)) {
		unpacker_cancel(m.unpacker);
		r = packed < 0 ? packed
			       : err_set(&why, ERR_SYSTEM, "the writer of a layer was killed");
	}
	if (r >= 0)
		return publish(&m, a, out, e);
	if (e)
		*e = why;
	return r;
}
