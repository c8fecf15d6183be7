/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/eventlog.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "net/network.h"
#include "spec/event.h"
#include "spec/record.h"
#include "store/store.h"
#include "sys/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define EXTRA	4
#define LOOK_MS 1000

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_dir(struct store *s, struct err *e)
{
	int run = store_run_fd(s), fd = openat(run, EVENT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && mkdirat(run, EVENT_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "journal of events");
	if (fd < 0)
		fd = openat(run, EVENT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "journal of events") : fd;
}

/* ---- writing ---- */

static void append(struct store *s, const struct event *ev)
{
	static const struct journal_bounds bounds = {EVENT_BYTES, EVENT_FILES};
	auto_buf struct buf b = BUF_INIT(EVENT_LINE);
	auto_fd int dir = open_dir(s, NULL);

	event_write(ev, now_ns(), &b);
	if (dir >= 0 && !b.failed)
		journal_append(dir, EVENT_NAME, &bounds, b.p, b.len);
}

static void add(struct jbind_map *m, const char *key, const char *value)
{
	if (value)
		m->v[m->n++] = (struct jbind_pair){key, value};
}

void eventlog_instance(struct store *s, const struct instance *i, const char *action,
		       const char *key, const char *value)
{
	auto_arena struct arena a = ARENA_INIT;
	struct event ev = {.type = "container", .action = action, .actor = {.id = i->id}};
	struct jbind_map *m = &ev.actor.attributes;

	m->v = arena_array(&a, i->labels.n + EXTRA, sizeof(*m->v));
	for (size_t k = 0; k < i->labels.n; k++) {
		const char *l = i->labels.v[k], *eq = strchrnul(l, '=');

		add(m, arena_dupn(&a, l, (size_t)(eq - l)), *eq ? eq + 1 : "");
	}
	add(m, "image", i->image);
	add(m, "name", i->name);
	if (key)
		add(m, key, value);
	append(s, &ev);
}

void eventlog_thing(struct store *s, const char *type, const char *action, const char *id,
		    const char *name)
{
	struct jbind_pair pair[1];
	struct event ev = {
	    .type = type, .action = action, .actor = {.id = id, .attributes = {.v = pair}}};

	add(&ev.actor.attributes, "name", name);
	append(s, &ev);
}

void eventlog_network(struct store *s, const struct network *n, const char *action,
		      const char *instance)
{
	struct jbind_pair pair[3];
	struct event ev = {
	    .type = "network", .action = action, .actor = {.id = n->id, .attributes = {.v = pair}}};

	add(&ev.actor.attributes, "container", instance);
	add(&ev.actor.attributes, "name", n->name);
	add(&ev.actor.attributes, "type", n->driver);
	append(s, &ev);
}

/* ---- filters ---- */

static const char *attribute(const struct event *ev, const char *key)
{
	const char *v = jbind_lookup(&ev->actor.attributes, key);

	return v ? v : "";
}

static bool is_of(const struct event *ev, const char *type, const char *want)
{
	const char *id = ev->actor.id ? ev->actor.id : "";

	return streq(ev->type, type) && (streq(attribute(ev, "name"), want) ||
					 (*want && strncmp(id, want, strlen(want)) == 0));
}

static bool label(const struct event *ev, const char *want)
{
	const char *eq = strchrnul(want, '=');

	for (size_t i = 0; i < ev->actor.attributes.n; i++) {
		const struct jbind_pair *p = &ev->actor.attributes.v[i];

		if (strlen(p->key) == (size_t)(eq - want) &&
		    strncmp(p->key, want, (size_t)(eq - want)) == 0 &&
		    (!*eq || streq(p->value, eq + 1)))
			return true;
	}
	return false;
}

/* "exec_create: sh -c ..." is asked for as "exec_create". */
static bool action(const struct event *ev, const char *want)
{
	size_t n = strlen(want);

	return strncmp(ev->action, want, n) == 0 && (!ev->action[n] || ev->action[n] == ':');
}

static bool image(const struct event *ev, const char *want)
{
	return is_of(ev, "image", want) || streq(attribute(ev, "image"), want);
}

static const char *const keys[] = {"container", "event", "image",  "label", "network",
				   "scope",	"type",	 "volume", NULL};

static bool fits_one(const struct event *ev, const char *key, const char *want)
{
	if (streq(key, "event"))
		return action(ev, want);
	if (streq(key, "image"))
		return image(ev, want);
	if (streq(key, "label"))
		return label(ev, want);
	if (streq(key, "type"))
		return streq(ev->type, want);
	if (streq(key, "scope"))
		return streq(want, "local");
	return is_of(ev, key, want);
}

int eventlog_check(const struct strs *filters, struct err *e)
{
	for (size_t i = 0; i < filters->n; i++) {
		bool known = false;

		for (const char *const *k = keys; *k; k++) {
			const char *v = str_after(filters->v[i], *k);

			known |= v && *v == '=' && v[1];
		}
		if (!known)
			return err_set(e, ERR_USAGE,
				       "--filter does not know '%.60s' (container event image "
				       "label network scope type volume)",
				       filters->v[i]);
	}
	return 0;
}

/* Values of one key are alternatives, keys are conditions. */
static bool fits(const struct event *ev, const struct strs *filters)
{
	for (const char *const *k = keys; *k; k++) {
		bool asked = false, any = false;

		for (size_t i = 0; i < filters->n; i++) {
			const char *v = str_after(filters->v[i], *k);

			if (!v || *v != '=')
				continue;
			asked = true;
			any |= fits_one(ev, *k, v + 1);
		}
		if (asked && !any)
			return false;
	}
	return true;
}

/* ---- reading ---- */

struct reading {
	const struct eventlog_query *q;
	int (*show)(const struct event *, const char *, size_t, void *);
	void *arg;
	bool past; /* an event later than until was seen */
};

/* A line that is none of ours is passed over: the journal outlives versions. */
static int one(const char *line, size_t len, void *arg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct reading *r = arg;
	struct event ev = {0};

	if (jbind_parse(&event_table, line, len, &ev, &a, "event", NULL) < 0 || !ev.actor.id)
		return 0;
	if (r->q->until_ns && ev.time_ns > r->q->until_ns) {
		r->past = true;
		return 0;
	}
	if (ev.time_ns < r->q->since_ns || !fits(&ev, &r->q->filters))
		return 0;
	return r->show(&ev, line, len, r->arg);
}

static int follow(struct journal_reader *j, struct reading *r, int watch, struct err *e)
{
	struct pollfd p = {.fd = watch, .events = POLLIN};
	int ret = 0;

	while (ret == 0 && !r->past) {
		int64_t left = r->q->until_ns ? (r->q->until_ns - now_ns()) / 1000000 : LOOK_MS;

		if (r->q->until_ns && left <= 0)
			break;
		if (poll(&p, 1, left < LOOK_MS ? (int)left + 1 : LOOK_MS) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		journal_woken(watch);
		ret = journal_read_on(j);
	}
	return ret;
}

int eventlog_read(struct session *s, const struct eventlog_query *q,
		  int (*show)(const struct event *, const char *, size_t, void *), void *arg,
		  struct err *e)
{
	struct reading r = {.q = q, .show = show, .arg = arg};
	auto_fd int dir = -1, watch = -1;
	struct journal_reader j = {
	    .name = EVENT_NAME, .line_max = EVENT_LINE, .line = one, .arg = &r};
	struct store *store;
	int ret = session_store(s, &store, e);

	if (ret < 0)
		return ret;
	dir = open_dir(store, e);
	if (dir < 0)
		return dir;
	/* Watched before it is read, so that nothing falls between. */
	watch = journal_watch(dir);
	if (watch < 0) {
		errno = -watch;
		return err_sys(e, "watch the journal of events");
	}
	j.dir_fd = dir;
	ret = journal_read(&j, q->since_ns || q->until_ns ? -1 : 0);
	if (ret == 0 && (q->follow || !q->until_ns || q->until_ns > now_ns()))
		ret = follow(&j, &r, watch, e);
	journal_done(&j);
	return ret;
}
