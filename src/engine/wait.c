/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is waited for shows in the instance's directory: exit.json appears, the directory goes.  It
 * is watched first and looked at then, so that nothing is missed; a kill -9 of the monitor writes
 * nothing, so it is looked at every second too.
 */
#include "engine/wait.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "store/instance.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>

#define LOOK_MS 1000

const char *const wait_condition_names[] = {"not-running", "next-exit", "removed", NULL};

static int not_running(struct session *s, const char *id, int64_t *code, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int status, r = lookup_find(s, id, &a, &l, e);

	if (r < 0)
		return r;
	if (l.state.status == INSTANCE_RUNNING || l.state.status == INSTANCE_PAUSED) {
		r = conn_wait(s, id, &status, e);
		if (r == 0) {
			*code = conn_code(status);
			return 0;
		}
		/* It ended between the two; then the record knows. */
		*e = ERR_INIT;
		r = lookup_find(s, id, &a, &l, e);
		if (r < 0)
			return r;
	}
	*code = l.state.exit_code;
	return 0;
}

/* 1: it holds. */
static int holds(struct session *s, const char *id, enum wait_condition c, int64_t since,
		 int64_t *code)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;

	if (lookup_find(s, id, &a, &l, NULL) < 0)
		return 1;
	if (l.state.status == INSTANCE_EXITED)
		*code = l.state.exit_code;
	return c == WAIT_NEXT_EXIT && l.state.status == INSTANCE_EXITED &&
	       (l.state.finished_ns > since || (l.state.unseen && since >= 0));
}

static int watch(struct session *s, const char *id, enum wait_condition c, int64_t *code,
		 struct err *e)
{
	auto_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[4096], events[4096];
	struct pollfd p = {.fd = in, .events = POLLIN};
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int64_t since;

	snprintf(path, sizeof(path), "%s/instances/%.64s", store_root_path(s->store), id);
	if (in < 0 ||
	    (inotify_add_watch(in, path, IN_MOVED_TO | IN_DELETE_SELF) < 0 && errno != ENOENT))
		return err_sys(e, "watch the instance");
	if (lookup_find(s, id, &a, &l, e) < 0)
		return c == WAIT_REMOVED ? 0 : -ENOENT;
	/* An end that nobody saw has no time: one that is there already is not the next. */
	since = l.state.status != INSTANCE_EXITED ? 0 : l.state.unseen ? -1 : l.state.finished_ns;
	while (!holds(s, id, c, since, code)) {
		if (poll(&p, 1, LOOK_MS) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		while (read(in, events, sizeof(events)) > 0)
			;
	}
	return 0;
}

int wait_instance(struct session *s, const struct instance *i, enum wait_condition c, int64_t *code,
		  struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	*code = 0;
	if (r < 0)
		return r;
	return c == WAIT_NOT_RUNNING ? not_running(s, i->id, code, e) : watch(s, i->id, c, code, e);
}
