/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tarball.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "registry/blob_sink.h"
#include "registry/oci_layout.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#define CHUNK	   (256 << 10)
#define LINK_DEPTH 8

struct entry {
	const char *name, *link; /* link NULL: a file */
	uint64_t size;
};

struct tarball {
	int fd;
	struct arena arena;
	struct entry *entries;
	size_t n, cap;
};

/* One walk over the archive: its own position, so that threads do not disturb each other. */
struct walk {
	int fd;
	int64_t at;
	struct archive *a;
	char buf[CHUNK];
};

static la_ssize_t walk_read(struct archive *a, void *arg, const void **data)
{
	struct walk *w = arg;
	ssize_t n;

	do
		n = pread(w->fd, w->buf, sizeof(w->buf), w->at);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		archive_set_error(a, errno, "%s", strerror(errno));
		return ARCHIVE_FATAL;
	}
	w->at += n;
	*data = w->buf;
	return n;
}

static la_int64_t walk_skip(struct archive *a, void *arg, la_int64_t n)
{
	struct walk *w = arg;

	w->at += n;
	return n;
}

static int broken(struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	return err_set(e, ERR_CORRUPT, "the archive is damaged: %.200s", why ? why : "unknown");
}

static void walk_close(struct walk *w)
{
	if (!w)
		return;
	archive_read_free(w->a);
	free(w);
}

AUTO_DEFINE(walk, struct walk, walk_close)
#define auto_walk auto_with(auto_release_walk)

static int walk_open(int fd, struct walk **out, struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->fd = fd;
	w->a = archive_read_new();
	if (!w->a)
		abort();
	archive_read_support_format_tar(w->a);
	archive_read_support_filter_gzip(w->a);
	archive_read_support_filter_zstd(w->a);
	archive_read_support_filter_xz(w->a);
	archive_read_support_filter_bzip2(w->a);
	archive_read_set_read_callback(w->a, walk_read);
	archive_read_set_skip_callback(w->a, walk_skip);
	archive_read_set_callback_data(w->a, w);
	if (archive_read_open1(w->a) != ARCHIVE_OK) {
		int r = broken(w->a, e);

		walk_close(w);
		return r;
	}
	*out = w;
	return 0;
}

/* "./a//b" and "a/b" are one name; "." and ".." are left as they are and so match nothing. */
static const char *clean(const char *name)
{
	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name += name[0] == '/' ? 1 : 2;
	return name;
}

/* The target of a link, seen from the directory of the link.  NULL when it leads outside. */
static const char *resolve(struct arena *a, const char *from, const char *to, bool hard)
{
	const char *slash = strrchr(from, '/');
	size_t n = slash && !hard ? (size_t)(slash - from) : 0;

	if (hard)
		return arena_dup(a, clean(to));
	if (*to == '/')
		return NULL;
	while (str_after(to, "../")) {
		if (!n)
			return NULL;
		while (n && from[n - 1] != '/')
			n--;
		n -= n > 0;
		to += 3;
	}
	to = clean(to);
	return n ? arena_printf(a, "%.*s/%s", (int)n, from, to) : arena_dup(a, to);
}

static int add(struct tarball *t, struct archive_entry *ae, struct err *e)
{
	const char *name = archive_entry_pathname(ae), *soft = archive_entry_symlink(ae);
	const char *hard = archive_entry_hardlink(ae);
	struct entry x = {0};

	if (!name || (!soft && !hard && archive_entry_filetype(ae) != AE_IFREG))
		return 0;
	if (t->n == TARBALL_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "the archive has more than %d entries",
			       TARBALL_ENTRIES_MAX);
	x.name = arena_dup(&t->arena, clean(name));
	x.size = (uint64_t)(archive_entry_size(ae) > 0 ? archive_entry_size(ae) : 0);
	if (soft || hard) {
		x.link = resolve(&t->arena, x.name, soft ? soft : hard, !soft);
		if (!x.link)
			return 0;
	}
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->entries = realloc(t->entries, t->cap * sizeof(*t->entries));
		if (!t->entries)
			abort();
	}
	t->entries[t->n++] = x;
	return 0;
}

static int read_names(struct tarball *t, struct err *e)
{
	auto_walk struct walk *w = NULL;
	struct archive_entry *ae;
	int r = walk_open(t->fd, &w, e), rc;

	if (r < 0)
		return r;
	while ((rc = archive_read_next_header(w->a, &ae)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		r = add(t, ae, e);
		if (r < 0)
			return r;
	}
	return rc == ARCHIVE_EOF ? 0 : broken(w->a, e);
}

int tarball_open(int fd, struct tarball **out, struct err *e)
{
	struct tarball *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		abort();
	t->fd = fd;
	r = read_names(t, e);
	if (r < 0) {
		tarball_close(t);
		return r;
	}
	*out = t;
	return 0;
}

void tarball_close(struct tarball *t)
{
	close(t->fd);
	arena_free(&t->arena);
	free(t->entries);
	free(t);
}

/* The last of equal names counts, as for every reader of tar. */
static const struct entry *lookup(const struct tarball *t, const char *name)
{
	for (size_t i = t->n; i-- > 0;)
		if (streq(t->entries[i].name, name))
			return &t->entries[i];
	return NULL;
}

static const struct entry *find(const struct tarball *t, const char *name)
{
	const struct entry *x = lookup(t, clean(name));

	for (int depth = 0; x && x->link; depth++)
		x = depth < LINK_DEPTH ? lookup(t, x->link) : NULL;
	return x;
}

bool tarball_has(const struct tarball *t, const char *name)
{
	return find(t, name) != NULL;
}

static int missing(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "the archive has no file '%.150s'", name);
}

int tarball_size(const struct tarball *t, const char *name, uint64_t *size, struct err *e)
{
	const struct entry *x = find(t, name);

	if (!x)
		return missing(name, e);
	*size = x->size;
	return 0;
}

/* Position a new walk at the data of an entry. */
static int seek_entry(struct tarball *t, const char *name, struct walk **out, struct err *e)
{
	const struct entry *x = find(t, name);
	struct archive_entry *ae;
	size_t left;
	int r, rc;

	if (!x)
		return missing(name, e);
	/* Of equal names the same one as in lookup(). */
	left = 0;
	for (const struct entry *y = t->entries; y < x; y++)
		left += streq(y->name, x->name);
	r = walk_open(t->fd, out, e);
	if (r < 0)
		return r;
	while ((rc = archive_read_next_header((*out)->a, &ae)) == ARCHIVE_OK ||
	       rc == ARCHIVE_WARN) {
		const char *have = archive_entry_pathname(ae);

		if (!have || !streq(clean(have), x->name))
			continue;
		if (!left--)
			return 0;
	}
	return rc == ARCHIVE_EOF ? missing(name, e) : broken((*out)->a, e);
}

int tarball_walk(struct tarball *t, const char *name,
		 int (*fn)(void *arg, const void *data, unsigned long len, struct err *e),
		 void *arg, struct err *e)
{
	auto_walk struct walk *w = NULL;
	auto_free char *b = malloc(CHUNK);
	int r = seek_entry(t, name, &w, e);

	if (!b)
		abort();
	while (r >= 0) {
		la_ssize_t n = archive_read_data(w->a, b, CHUNK);

		if (n == ARCHIVE_RETRY)
			continue;
		if (n <= 0)
			return n < 0 ? broken(w->a, e) : 0;
		r = fn(arg, b, (unsigned long)n, e);
	}
	return r;
}

static int to_buf(void *arg, const void *data, unsigned long len, struct err *e)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return buf_fail(b, "a file of the archive", e);
}

int tarball_read(struct tarball *t, const char *name, struct buf *out, struct err *e)
{
	return tarball_walk(t, name, to_buf, out, e);
}

int tarball_peek(struct tarball *t, const char *name, void *data, unsigned long len, struct err *e)
{
	auto_walk struct walk *w = NULL;
	int r = seek_entry(t, name, &w, e);
	la_ssize_t n;

	if (r < 0)
		return r;
	n = archive_read_data(w->a, data, len);
	return n < 0 ? broken(w->a, e) : (int)n;
}

static int to_sink(void *arg, const void *data, unsigned long len, struct err *e)
{
	return blob_sink_write(arg, data, len, e);
}

int tarball_stream(struct tarball *t, const char *name, struct blob_sink *sink, struct err *e)
{
	return tarball_walk(t, name, to_sink, sink, e);
}

static int layout_read(void *arg, const char *name, struct buf *out, struct err *e)
{
	return tarball_read(arg, name, out, e);
}

static int layout_stream(void *arg, const char *name, struct blob_sink *sink, struct err *e)
{
	return tarball_stream(arg, name, sink, e);
}

static void layout_close(void *arg)
{
	tarball_close(arg);
}

struct source *tarball_layout(struct tarball *t)
{
	static const struct oci_layout_files files = {layout_read, layout_stream, layout_close};

	return oci_layout_new(&files, t);
}
