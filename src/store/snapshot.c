/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/sha256.h"
#include "base/str.h"
#include "store/instance.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/sparse.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOTS  "snapshots"
#define RECORD_MAX (4u << 20)

const char *const snapshot_kind_names[] = {"files", "disk", "machine", NULL};

static const struct jbind_field file_fields[] = {
    JB(struct snapshot_file, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct snapshot_file, bytes, "bytes", JBIND_UINT, .flags = JBIND_REQUIRED),
    JB(struct snapshot_file, digest, "digest", JBIND_STR, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind file_table = {.size = sizeof(struct snapshot_file),
					.fields = file_fields};

#define S(m, key, type, ...) JB(struct snapshot, m, key, type, ##__VA_ARGS__)
static const struct jbind_field fields[] = {
    S(version, "version", JBIND_INT, .flags = JBIND_REQUIRED),
    S(name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    S(created_ns, "created_ns", JBIND_INT, .flags = JBIND_KEEP),
    S(kind, "kind", JBIND_ENUM, .names = snapshot_kind_names, .flags = JBIND_KEEP),
    S(image_id, "image_id", JBIND_STR, .flags = JBIND_REQUIRED),
    S(instance, "instance", JBIND_RAW, .flags = JBIND_REQUIRED),
    S(running, "running", JBIND_BOOL, .flags = JBIND_KEEP),
    S(pause_ns, "pause_ns", JBIND_INT, .flags = JBIND_KEEP),
    S(files, "files", JBIND_LIST, .sub = &file_table, .flags = JBIND_KEEP),
    S(machine, "machine", JBIND_RAW),
    JB_END,
};
const struct jbind snapshot_table = {.size = sizeof(struct snapshot), .fields = fields};

static const struct jbind_field version_fields[] = {
    S(version, "version", JBIND_INT, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind version_table = {.size = sizeof(struct snapshot),
					   .fields = version_fields};

/* ---- digests ---- */

static int add_block(const void *data, size_t len, uint64_t at, void *arg)
{
	uint64_t le = htole64(at);

	sha256_add(arg, &le, sizeof(le));
	sha256_add(arg, data, len);
	return 0;
}

int snapshot_digest(int fd, struct arena *a, const char **digest, uint64_t *bytes, struct err *e)
{
	unsigned char sum[32];
	char text[80] = "sha256:";
	struct sha256 h;
	struct stat st;
	uint64_t le;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "snapshot");
	sha256_init(&h);
	r = sparse_each(fd, add_block, &h);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "read the snapshot");
	}
	le = htole64((uint64_t)st.st_size);
	sha256_add(&h, &le, sizeof(le));
	sha256_done(&h, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(text + 7 + 2 * i, 3, "%02x", sum[i]);
	*digest = arena_dup(a, text);
	*bytes = (uint64_t)st.st_size;
	return 0;
}

/* ---- making ---- */

static int take_in(int dir, const char *name, struct arena *a, struct snapshot_file *f,
		   struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, "snapshot: %s", name);
	f->name = name;
	r = snapshot_digest(fd, a, &f->digest, &f->bytes, e);
	if (r == 0 && fdatasync(fd) < 0)
		r = err_sys(e, "snapshot: %s", name);
	return r;
}

static int rename_new(int root, const char *path, const char *name, struct err *e)
{
	auto_fd int all = -1;

	if (mkdirat(root, SNAPSHOTS, 0700) < 0 && errno != EEXIST)
		return err_sys(e, SNAPSHOTS);
	all = openat(root, SNAPSHOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (all < 0)
		return err_sys(e, SNAPSHOTS);
	if (renameat2(root, path, all, name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST
			   ? err_set(e, ERR_EXISTS, "there is a snapshot '%s' already", name)
			   : err_sys(e, "snapshot '%s'", name);
	return fsync(all) < 0 ? err_sys(e, SNAPSHOTS) : 0;
}

int snapshot_publish(struct store *st, int dir, const char *path, struct snapshot *s,
		     struct arena *a, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	struct strs names = {0};
	int r = instance_check_name(s->name, e);

	if (r < 0)
		return r;
	errno = -path_names(dir, a, &names);
	if (errno)
		return err_sys(e, "snapshot");
	s->version = SNAPSHOT_VERSION;
	s->files.v = arena_array(a, names.n + 1, sizeof(*s->files.v));
	s->files.n = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (!streq(names.v[i], SNAPSHOT_RECORD))
			r = take_in(dir, names.v[i], a, &s->files.v[s->files.n++], e);
	if (r < 0)
		return r;
	jbind_write(&snapshot_table, s, &b);
	r = buf_fail(&b, "snapshot", e);
	if (r < 0)
		return r;
	errno = -fault_point("snapshot-record");
	if (!errno)
		errno = -file_replace(dir, SNAPSHOT_RECORD, b.p, b.len, 0600, FILE_DURABLE);
	if (errno)
		return err_sys(e, "snapshot '%s'", s->name);
	errno = -fault_point("snapshot-publish");
	if (errno)
		return err_sys(e, "snapshot '%s'", s->name);
	return rename_new(st->root_fd, path, s->name, e);
}

/* ---- reading ---- */

static int check_file(int dir, const struct snapshot *s, const struct snapshot_file *f,
		      struct err *e)
{
	struct stat st;

	if (!f->name[0] || f->name[0] == '.' || strchr(f->name, '/'))
		return err_set(e, ERR_CORRUPT, "snapshot '%s' names a file '%.80s'", s->name,
			       f->name);
	if (fstatat(dir, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "snapshot '%s' is damaged: its '%s' is missing",
			       s->name, f->name);
	if ((uint64_t)st.st_size != f->bytes)
		return err_set(e, ERR_CORRUPT,
			       "snapshot '%s' is damaged: its '%s' has %jd bytes and not %" PRIu64,
			       s->name, f->name, (intmax_t)st.st_size, f->bytes);
	return 0;
}

int snapshot_read(int dir, const char *name, struct arena *a, struct snapshot *out, struct err *e)
{
	const char *what = arena_printf(a, "snapshot '%.128s'", name);
	auto_free char *text = NULL;
	struct snapshot s = {0};
	ssize_t n = file_read_doc(dir, SNAPSHOT_RECORD, RECORD_MAX, &text);
	int r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "%s", what);
	}
	/* First of all the version: the rest may mean something else. */
	r = jbind_parse(&version_table, text, (size_t)n, &s, a, what, e);
	if (r == 0 && s.version != SNAPSHOT_VERSION)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s is of version %" PRId64 ", and this caisson reads version %d",
			       what, s.version, SNAPSHOT_VERSION);
	if (r == 0)
		r = jbind_parse(&snapshot_table, text, (size_t)n, &s, a, what, e);
	for (size_t i = 0; r == 0 && i < s.files.n; i++)
		r = check_file(dir, &s, &s.files.v[i], e);
	if (r < 0)
		return r;
	*out = s;
	return 0;
}

static int open_dir(struct store *st, const char *name, int how, struct err *e)
{
	auto_fd int fd = -1;
	char path[256];

	if (instance_check_name(name, NULL) < 0)
		return err_set(e, ERR_NOT_FOUND, "no such snapshot: %.128s", name);
	snprintf(path, sizeof(path), SNAPSHOTS "/%s", name);
	fd = openat(st->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "no such snapshot: %.128s", name);
	if (fd < 0)
		return err_sys(e, "snapshot '%.128s'", name);
	if (flock(fd, how | LOCK_NB) < 0)
		return err_set(e, ERR_CONFLICT, "snapshot '%.128s' is in use by another command",
			       name);
	if (faccessat(st->root_fd, path, F_OK, 0) < 0)
		return err_set(e, ERR_NOT_FOUND, "no such snapshot: %.128s", name);
	return take_fd(&fd);
}

int snapshot_open(struct store *st, const char *name, struct arena *a, struct snapshot *out,
		  struct err *e)
{
	auto_fd int dir = open_dir(st, name, LOCK_SH, e);
	int r = dir < 0 ? dir : snapshot_read(dir, name, a, out, e);

	return r < 0 ? r : take_fd(&dir);
}

int snapshot_verify(int dir, const struct snapshot *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; i < s->files.n; i++) {
		const struct snapshot_file *f = &s->files.v[i];
		auto_fd int fd = openat(dir, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		const char *digest;
		uint64_t bytes;
		int r;

		if (fd < 0)
			return err_sys(e, "snapshot '%s': %s", s->name, f->name);
		r = snapshot_digest(fd, &a, &digest, &bytes, e);
		if (r < 0)
			return r;
		if (!streq(digest, f->digest))
			return err_set(e, ERR_CORRUPT,
				       "snapshot '%s' is damaged: the digest of its '%s' is not "
				       "that of its manifest",
				       s->name, f->name);
	}
	return 0;
}

int snapshot_list(struct store *st, struct arena *a, struct snapshots *out, struct strs *broken,
		  struct err *e)
{
	auto_fd int all = openat(st->root_fd, SNAPSHOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strs names = {0};

	*out = (struct snapshots){0};
	if (all < 0)
		return errno == ENOENT ? 0 : err_sys(e, SNAPSHOTS);
	errno = -path_names(all, a, &names);
	if (errno)
		return err_sys(e, SNAPSHOTS);
	out->v = arena_array(a, names.n + 1, sizeof(*out->v));
	for (size_t i = 0; i < names.n; i++) {
		auto_fd int dir =
		    openat(all, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (dir >= 0 && snapshot_read(dir, names.v[i], a, &out->v[out->n], NULL) == 0)
			out->v[out->n++].name = names.v[i];
		else if (broken && dir >= 0)
			arena_strs_add(a, broken, names.v[i]);
	}
	return 0;
}

const char *snapshot_user(struct store *st, const char *image_id, struct arena *a)
{
	struct snapshots all;

	if (snapshot_list(st, a, &all, NULL, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].image_id, image_id))
			return all.v[i].name;
	return NULL;
}

/* Out of sight by one rename; the rest is garbage of the stage. */
int snapshot_remove(struct store *st, const char *name, struct arena *a, const char **image_id,
		    struct err *e)
{
	auto_fd int dir = open_dir(st, name, LOCK_EX, e);
	struct snapshot s = {0};
	struct stage *stage = NULL;
	int r;

	if (dir < 0)
		return dir;
	*image_id = snapshot_read(dir, name, a, &s, NULL) == 0 ? s.image_id : NULL;
	r = stage_new(st, &stage, e);
	if (r < 0)
		return r;
	errno = -fault_point("snapshot-remove");
	if (errno || renameat(st->root_fd, arena_printf(a, SNAPSHOTS "/%s", name), stage_fd(stage),
			      "gone") < 0)
		r = err_sys(e, "remove snapshot '%s'", name);
	stage_free(stage);
	return r;
}
