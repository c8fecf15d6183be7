/* SPDX-License-Identifier: Apache-2.0 */
#include "store/buildcache.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/digest.h"
#include "fmt/jbind.h"
#include "store/layer.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY "cache/build"
#define NOTE	  ".why"
#define LIMIT	  "limit.json"

static const struct jbind_field fields[] = {
    JB(struct buildcache_entry, diff_id, "diffId", JBIND_STR),
    JB(struct buildcache_entry, blob, "blob", JBIND_STR),
    JB(struct buildcache_entry, media_type, "mediaType", JBIND_STR),
    JB(struct buildcache_entry, blob_size, "blobSize", JBIND_UINT),
    JB(struct buildcache_entry, step, "step", JBIND_STR),
    JB(struct buildcache_entry, created_ns, "created", JBIND_INT, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind table = {sizeof(struct buildcache_entry), fields, false};

static bool is_key(const char *s, size_t len)
{
	return len == DIGEST_HEX && strspn(s, "0123456789abcdef") >= len;
}

static int open_dir(const struct store *s, bool make, struct err *e)
{
	int fd;

	if (make && ((mkdirat(s->root_fd, "cache", 0700) < 0 && errno != EEXIST) ||
		     (mkdirat(s->root_fd, DIRECTORY, 0700) < 0 && errno != EEXIST)))
		return err_sys(e, "'%s/" DIRECTORY "'", s->root);
	fd = openat(s->root_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "'%s/" DIRECTORY "'", s->root) : fd;
}

/* Ours, but an old or damaged file must not become a path. */
static bool sound(const struct buildcache_entry *b)
{
	if (!b->diff_id)
		return true;
	return b->blob && b->media_type && digest_valid(b->diff_id) && digest_valid(b->blob);
}

static int read_at(int dir, const char *key, struct arena *a, struct buildcache_entry *out)
{
	const char *file = arena_printf(a, "%s.json", key);
	struct buildcache_entry b = {0};
	auto_free char *text = NULL;
	ssize_t n = file_read(dir, file, STORE_JSON_MAX, &text);
	struct stat st;

	if (n < 0 || fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	if (jbind_parse(&table, text, (size_t)n, &b, a, "build cache entry", NULL) < 0 ||
	    !sound(&b))
		return -ENOENT;
	b.key = key;
	b.used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	*out = b;
	return 0;
}

int buildcache_find(struct store *s, const char *key, struct arena *a, struct buildcache_entry *out,
		    struct err *e)
{
	auto_fd int dir = open_dir(s, false, NULL);
	struct buildcache_entry b;
	struct layer l;

	if (dir < 0 || !is_key(key, strlen(key)) || read_at(dir, key, a, &b) < 0 ||
	    (b.diff_id && layer_find(s, b.diff_id, a, &l, NULL) < 0)) {
		if (e)
			e->kind = ERR_NOT_FOUND;
		return -ENOENT;
	}
	*out = b;
	return 0;
}

int buildcache_put(struct store *s, const struct buildcache_entry *entry, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(STORE_JSON_MAX);
	auto_fd int dir = open_dir(s, true, e);
	int r;

	if (dir < 0)
		return dir;
	jbind_write(&table, entry, &text);
	r = buf_fail(&text, "build cache entry", e);
	if (r < 0)
		return r;
	errno = -file_replace(dir, arena_printf(&a, "%s.json", entry->key), text.p, text.len, 0600,
			      FILE_LAZY);
	return errno ? err_sys(e, "cannot write to '%s/" DIRECTORY "'", s->root) : 0;
}

void buildcache_touch(const struct store *s, const char *key)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = open_dir(s, false, NULL);

	if (dir >= 0)
		(void)utimensat(dir, arena_printf(&a, "%s.json", key), NULL, 0);
}

int buildcache_note_put(struct store *s, const char *key, const void *data, size_t len,
			struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = open_dir(s, true, e);

	if (dir < 0)
		return dir;
	errno = -file_replace(dir, arena_printf(&a, "%s" NOTE, key), data, len, 0600, FILE_LAZY);
	return errno ? err_sys(e, "cannot write to '%s/" DIRECTORY "'", s->root) : 0;
}

int buildcache_note_read(const struct store *s, const char *key, size_t max, char **data,
			 size_t *len)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = open_dir(s, false, NULL);
	ssize_t n = dir < 0 || !is_key(key, strlen(key))
			? -ENOENT
			: file_read(dir, arena_printf(&a, "%s" NOTE, key), max, data);

	if (n < 0)
		return -ENOENT;
	*len = (size_t)n;
	return 0;
}

int buildcache_all(const struct store *s, struct arena *a, struct buildcache_list *out,
		   struct err *e)
{
	int dir = open_dir(s, false, e);
	struct dirent *de;
	DIR *d;

	*out = (struct buildcache_list){0};
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return dir;
	d = fdopendir(dir);
	if (!d)
		abort();
	while ((de = readdir(d))) {
		size_t len = strlen(de->d_name);
		struct buildcache_entry b;

		if (len != DIGEST_HEX + 5 || !is_key(de->d_name, DIGEST_HEX))
			continue;
		if (read_at(dir, arena_dupn(a, de->d_name, DIGEST_HEX), a, &b) < 0)
			continue;
		out->v = arena_room(a, out->v, out->n, sizeof(*out->v));
		out->v[out->n++] = b;
	}
	closedir(d);
	return 0;
}

/* ---- the limit ---- */

struct limit {
	uint64_t bytes;
};
static const struct jbind_field limit_fields[] = {
    JB(struct limit, bytes, "bytes", JBIND_UINT, .flags = JBIND_REQUIRED), JB_END};
static const struct jbind limit_table = {sizeof(struct limit), limit_fields, false};

uint64_t buildcache_limit(const struct store *s)
{
	auto_fd int dir = open_dir(s, false, NULL);
	auto_arena struct arena a = ARENA_INIT;
	auto_free char *text = NULL;
	struct limit l = {0};
	ssize_t n = dir < 0 ? dir : file_read(dir, LIMIT, STORE_JSON_MAX, &text);

	if (n < 0 ||
	    jbind_parse(&limit_table, text, (size_t)n, &l, &a, "build cache's limit", NULL) < 0)
		return 0;
	return l.bytes;
}

int buildcache_set_limit(struct store *s, uint64_t bytes, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(256);
	auto_fd int dir = open_dir(s, true, e);
	struct limit l = {bytes};

	if (dir < 0)
		return dir;
	jbind_write(&limit_table, &l, &text);
	errno = -file_replace(dir, LIMIT, text.p, text.len, 0600, FILE_DURABLE);
	return errno ? err_sys(e, "cannot write to '%s/" DIRECTORY "'", s->root) : 0;
}

int buildcache_remove(struct store *s, const char *key, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = open_dir(s, false, NULL);

	if (dir < 0 || !is_key(key, strlen(key)))
		return 0;
	unlinkat(dir, arena_printf(&a, "%s" NOTE, key), 0);
	if (unlinkat(dir, arena_printf(&a, "%s.json", key), 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove from '%s/" DIRECTORY "'", s->root);
	return 0;
}
