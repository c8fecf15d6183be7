/* SPDX-License-Identifier: Apache-2.0 */
#include "store/idpool.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/subid.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define OWNER	      "caisson"
#define RANGES_MAX    64
#define DEFAULT_FIRST 0x70000000u
#define DEFAULT_COUNT 0x0fff0000u
#define ID_LEN	      64

struct ranges {
	struct idpool_range *v;
	size_t n, room;
};

/* ---- the pool ---- */

static size_t of_owner(const char *file, struct subid *out)
{
	auto_free char *text = NULL;

	/* A uid that is nobody's: only the name counts. */
	return file_read(AT_FDCWD, file, 4 << 20, &text) < 0
		   ? 0
		   : subid_ranges(text, OWNER, UINT32_MAX, out, RANGES_MAX);
}

static int pool(struct idpool_range out[RANGES_MAX], size_t *n, struct err *e)
{
	struct subid uids[RANGES_MAX], gids[RANGES_MAX];
	size_t nu, ng;

	*n = 1;
	if (userns_inside()) {
		uint64_t ids = userns_ids();

		out[0] = (struct idpool_range){1, (uint32_t)(ids > 1 ? ids - 1 : 0)};
		return 0;
	}
	nu = of_owner("/etc/subuid", uids);
	ng = of_owner("/etc/subgid", gids);
	out[0] = (struct idpool_range){DEFAULT_FIRST, DEFAULT_COUNT};
	if (!nu && !ng)
		return 0;
	for (size_t i = 0; i < nu; i++) {
		if (nu != ng || uids[i].first != gids[i].first || uids[i].count != gids[i].count)
			return err_set(e, ERR_USAGE,
				       "the ranges of '" OWNER "' in /etc/subuid and /etc/subgid "
				       "must be the same");
		out[i] = (struct idpool_range){uids[i].first, uids[i].count};
	}
	*n = nu;
	return nu ? 0 : err_set(e, ERR_USAGE, "'" OWNER "' has ranges in /etc/subgid only");
}

/* ---- what is taken ---- */

static bool read_one(int dir, const char *id, struct idpool_range *out)
{
	auto_free char *text = NULL;

	return file_read(dir, id, 64, &text) > 0 &&
	       sscanf(text, "%u %u", &out->first, &out->count) == 2;
}

static bool gone(const struct store *s, const char *id)
{
	char path[96];

	snprintf(path, sizeof(path), "instances/%.64s", id);
	return faccessat(s->root_fd, path, F_OK, 0) < 0 && errno == ENOENT;
}

/* dir is locked. */
static int read_all(const struct store *s, int dir, struct arena *a, struct ranges *out,
		    struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return err_sys(e, "'%s/ids'", s->root);
	while ((de = readdir(d))) {
		struct idpool_range r;

		if (strlen(de->d_name) != ID_LEN || !read_one(dir, de->d_name, &r))
			continue;
		if (gone(s, de->d_name)) {
			unlinkat(dir, de->d_name, 0);
			continue;
		}
		if (out->n == out->room) {
			size_t room = out->room ? 2 * out->room : 64;
			struct idpool_range *v = arena_array(a, room, sizeof(*v));

			if (out->n)
				memcpy(v, out->v, out->n * sizeof(*v));
			out->v = v;
			out->room = room;
		}
		out->v[out->n++] = r;
	}
	closedir(d);
	return 0;
}

/* From the top down: the low ids of a user's engine are those of his other instances. */
static bool fit(const struct idpool_range *p, uint32_t count, const struct ranges *taken,
		struct idpool_range *out)
{
	uint64_t low = p->first, at = (uint64_t)p->first + p->count;

	while (at >= low + count) {
		const struct idpool_range *hit = NULL;

		for (size_t i = 0; i < taken->n && !hit; i++)
			if (taken->v[i].first < at &&
			    (uint64_t)taken->v[i].first + taken->v[i].count > at - count)
				hit = &taken->v[i];
		if (!hit) {
			*out = (struct idpool_range){(uint32_t)(at - count), count};
			return true;
		}
		at = hit->first;
	}
	return false;
}

static int open_locked(const struct store *s, struct err *e)
{
	auto_fd int dir = -1;

	if (mkdirat(s->root_fd, "ids", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s/ids'", s->root);
	dir = openat(s->root_fd, "ids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0 && flock(dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock '%s/ids'", s->root);
	return dir < 0 ? err_sys(e, "'%s/ids'", s->root) : take_fd(&dir);
}

static int record(const struct store *s, int dir, const char *id, const struct idpool_range *r,
		  struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%u %u\n", r->first, r->count);
	int rc = file_replace(dir, id, text, (size_t)n, 0600, FILE_LAZY);

	if (rc < 0) {
		errno = -rc;
		return err_sys(e, "'%s/ids/%s'", s->root, id);
	}
	return 0;
}

int idpool_take(const struct store *s, const char *id, uint32_t count, struct idpool_range *out,
		struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = open_locked(s, e);
	struct idpool_range p[RANGES_MAX];
	struct ranges taken = {0};
	size_t n = 0;
	int r;

	if (dir < 0)
		return dir;
	if (read_one(dir, id, out) && out->count == count)
		return 0;
	(void)unlinkat(dir, id, 0);
	r = pool(p, &n, e);
	if (r == 0)
		r = read_all(s, dir, &a, &taken, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fit(&p[i], count, &taken, out))
			return record(s, dir, id, out, e);
	return r < 0 ? r
		     : err_set(e, ERR_LIMIT, "no range of %u ids is free for --userns=auto", count);
}

void idpool_free(const struct store *s, const char *id)
{
	char path[96];

	snprintf(path, sizeof(path), "ids/%.64s", id);
	(void)unlinkat(s->root_fd, path, 0);
}
