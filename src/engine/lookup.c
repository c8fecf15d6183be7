/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "engine/session.h"
#include "net/network.h"
#include "spec/health.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NANO 1000000000

/* The ports as they were chosen at the last start, one a line. */
static void read_ports(int root_fd, struct instance *i, struct arena *a)
{
	auto_free char *text = NULL;
	char path[96];
	char *at, *line;
	ssize_t n;

	snprintf(path, sizeof(path), "instances/%.64s/ports", i->id);
	n = file_read(root_fd, path, 1 << 20, &text);
	if (n <= 0)
		return;
	at = arena_dupn(a, text, (size_t)n);
	while ((line = strsep(&at, "\n")))
		if (*line)
			arena_strs_add(a, &i->ports, line);
}

static int fill(struct store *store, struct arena *a, struct lookup *l, struct err *e)
{
	int r = instance_state(store_root_fd(store), store_run_fd(store), l->i.id, a, &l->state, e);

	/* Ports are published to an address. */
	if (r == 0 && l->state.pid && l->state.address)
		read_ports(store_root_fd(store), &l->i, a);
	return r;
}

int lookup_find(struct session *s, const char *what, struct arena *a, struct lookup *out,
		struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = instance_find(store_root_fd(store), what, a, &out->i, e);
	out->network = NULL;
	return r < 0 ? r : fill(store, a, out, e);
}

/* ---- what does not run is not read twice ---- */

#define CACHE_MAX  2000 /* instances: about 2 KiB each, in every connection of the API */
#define SETTLED_NS NANO /* so old a directory's time is of another tick than what comes now */

struct entry {
	struct stat dir;
	struct lookup l; /* in the cache's arena */
};

struct lookup_cache {
	struct arena a;
	struct entry *v;
	size_t n, cap, next; /* next: where the one behind the last that was found is */
	size_t read;	     /* into the arena, since it was empty */
};

struct lookup_cache *lookup_cache_new(void)
{
	struct lookup_cache *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	return c;
}

static void cache_reset(struct lookup_cache *c)
{
	arena_free(&c->a);
	c->n = c->next = c->read = 0;
}

void lookup_cache_free(struct lookup_cache *c)
{
	if (!c)
		return;
	cache_reset(c);
	free(c->v);
	free(c);
}

static struct entry *cache_find(struct lookup_cache *c, const char *id)
{
	/* The directory of instances is read in one order as long as it is the same. */
	for (size_t k = 0; k < c->n; k++) {
		size_t i = (c->next + k) % c->n;

		if (streq(c->v[i].l.i.id, id)) {
			c->next = i + 1;
			return &c->v[i];
		}
	}
	return NULL;
}

static bool same_dir(const struct stat *x, const struct stat *y)
{
	return x->st_ino == y->st_ino && x->st_mtim.tv_sec == y->st_mtim.tv_sec &&
	       x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

static bool settled(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec - st->st_mtim.tv_sec) * NANO + now.tv_nsec -
		   st->st_mtim.tv_nsec >
	       SETTLED_NS;
}

/* Does it run, and has its directory changed?  The lock is looked at behind the directory: what
 * started in between changed that, too, and is told as it was before. */
static bool at_rest(struct store *store, const char *id, struct stat *dir)
{
	char path[96];

	snprintf(path, sizeof(path), "instances/%.64s", id);
	if (fstatat(store_root_fd(store), path, dir, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	snprintf(path, sizeof(path), "instances/%.64s/lock", id);
	return faccessat(store_run_fd(store), path, F_OK, 0) < 0 && errno == ENOENT;
}

static int read_one(struct store *store, const char *id, struct arena *a, struct lookup *l)
{
	int r = instance_load(store_root_fd(store), id, a, &l->i, NULL);

	l->network = NULL;
	return r < 0 ? r : fill(store, a, l, NULL);
}

static const char *network_of(const struct lookup *l, struct arena *a)
{
	auto_arena struct arena scratch = ARENA_INIT;
	struct request q = {0};

	jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, &scratch, "request",
		    NULL);
	return arena_dup(a, q.network ? q.network : NETWORK_DEFAULT);
}

static int read_cached(struct lookup_cache *c, struct store *store, const char *id, struct arena *a,
		       struct lookup *l)
{
	struct entry *had = cache_find(c, id);
	struct stat dir;
	int r;

	if (!at_rest(store, id, &dir) || !settled(&dir))
		return read_one(store, id, a, l);
	if (had && same_dir(&had->dir, &dir)) {
		*l = had->l;
		return 0;
	}
	if (c->n == CACHE_MAX && !had)
		return read_one(store, id, a, l);
	r = read_one(store, id, &c->a, l);
	c->read++;
	if (r < 0 || l->state.pid)
		return r;
	if (!had && c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->v = reallocarray(c->v, c->cap, sizeof(*c->v));
		if (!c->v)
			abort();
	}
	if (!had)
		had = &c->v[c->n++];
	l->network = network_of(l, &c->a);
	*had = (struct entry){dir, *l};
	return 0;
}

struct all {
	struct store *store;
	struct lookup_cache *cache;
	struct arena *a;
	struct lookups out;
	size_t cap;
};

static int add(const char *id, void *arg)
{
	struct all *all = arg;
	struct lookup *l;

	if (all->out.n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 16;
		struct lookup *v = arena_array(all->a, cap, sizeof(*v));

		if (all->out.n)
			memcpy(v, all->out.v, all->out.n * sizeof(*v));
		all->out.v = v;
		all->cap = cap;
	}
	l = &all->out.v[all->out.n];
	/* One that is being made or removed right now is not listed. */
	if ((all->cache ? read_cached(all->cache, all->store, id, all->a, l)
			: read_one(all->store, id, all->a, l)) == 0)
		all->out.n++;
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct lookup *x = a, *y = b;

	return x->i.created_ns < y->i.created_ns ? 1 : x->i.created_ns > y->i.created_ns ? -1 : 0;
}

int lookup_all(struct session *s, struct arena *a, struct lookups *out, struct err *e)
{
	struct all all = {.a = a, .cache = s->lookups};
	int r = session_store(s, &all.store, e);

	/* What is gone, or was read anew, stays in the arena until then. */
	if (all.cache && all.cache->read > 2 * CACHE_MAX)
		cache_reset(all.cache);
	if (r == 0)
		r = instance_each(store_root_fd(all.store), add, &all, e);
	if (r < 0)
		return r;
	if (all.out.n)
		qsort(all.out.v, all.out.n, sizeof(*all.out.v), newest_first);
	*out = all.out;
	return 0;
}

const char *const *const lookup_status_names = instance_status_names;

const char *lookup_status(const struct lookup *l)
{
	return instance_status_names[l->state.status];
}

/* The steps are docker's (github.com/docker/go-units, HumanDuration), because people and scripts
 * read them. */
const char *lookup_duration(int64_t ns, struct arena *a)
{
	int64_t s = ns / NANO, m = s / 60, h = (m + 30) / 60;

	if (s < 1)
		return "Less than a second";
	if (s == 1)
		return "1 second";
	if (s < 60)
		return arena_printf(a, "%" PRId64 " seconds", s);
	if (m == 1)
		return "About a minute";
	if (m < 60)
		return arena_printf(a, "%" PRId64 " minutes", m);
	if (h == 1)
		return "About an hour";
	if (h < 48)
		return arena_printf(a, "%" PRId64 " hours", h);
	if (h < 24 * 7 * 2)
		return arena_printf(a, "%" PRId64 " days", h / 24);
	if (h < 24 * 30 * 2)
		return arena_printf(a, "%" PRId64 " weeks", h / 24 / 7);
	if (h < 24 * 365 * 2)
		return arena_printf(a, "%" PRId64 " months", h / 24 / 30);
	return arena_printf(a, "%" PRId64 " years", h / 24 / 365);
}

static const char *const healths[] = {" (health: starting)", " (healthy)", " (unhealthy)"};
_Static_assert(sizeof(healths) / sizeof(*healths) == HEALTH_STATUS_MAX_, "a text per status");

const char *lookup_status_text(const struct lookup *l, int64_t now, struct arena *a)
{
	const struct instance_state *st = &l->state;

	switch ((enum instance_status)st->status) {
	case INSTANCE_RUNNING:
	case INSTANCE_PAUSED:
		return arena_printf(a, "Up %s%s", lookup_duration(now - st->started_ns, a),
				    st->status == INSTANCE_PAUSED ? " (Paused)"
				    : st->health < 0		  ? ""
								  : healths[st->health]);
	case INSTANCE_RESTARTING:
		return arena_printf(a, "Restarting (%" PRId64 ") %s ago", st->exit_code,
				    lookup_duration(now - st->finished_ns, a));
	case INSTANCE_EXITED:
		if (st->unseen || !st->finished_ns)
			return "Exited (unknown)";
		return arena_printf(a, "Exited (%" PRId64 ") %s ago", st->exit_code,
				    lookup_duration(now - st->finished_ns, a));
	case INSTANCE_CREATED:
	case INSTANCE_STATUS_MAX_:
		break;
	}
	return "Created";
}
