/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/restart.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/lookup.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/start.h"
#include "engine/stop.h"
#include "spec/policy.h"
#include "store/instance.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* 1: nobody lives in it, or no more: one that has ended and whose monitor is about to go is waited
 * for.  0: it runs. */
static int settled(struct store *store, const char *id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct instance_state st;
	int r;

	if (!instance_alive(store_run_fd(store), id))
		return 1;
	r = instance_state(store_root_fd(store), store_run_fd(store), id, &a, &st, e);
	if (r < 0 || st.status != INSTANCE_EXITED)
		return r;
	r = instance_run_wait(store_run_fd(store), id, e);
	return r < 0 ? r : 1;
}

int restart_begin(struct session *s, const struct instance *i, const struct start_opts *o,
		  struct conn *out, struct err *e)
{
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

	/* What runs is told so below. */
	if (r >= 0)
		r = settled(store, i->id, e);
	if (r < 0)
		return r;
	dir = instance_lock(store_root_fd(store), i->id, e);
	if (dir < 0)
		return dir;
	remove_traces(s, i->id);
	return start_instance(s, i, dir, o, out, e);
}

int restart_start(struct session *s, const struct instance *i, struct err *e)
{
	struct start_opts o = {0};
	auto_conn struct conn c = CONN_INIT;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	r = settled(store, i->id, e);
	if (r <= 0)
		return r;
	r = restart_begin(s, i, &o, &c, e);
	return r < 0 ? r : start_wait(&c, e);
}

int restart_instance(struct session *s, const struct lookup *l, const struct control_stop *how,
		     struct err *e)
{
	int r = stop_instance(s, &l->i, how, e);

	if (r == 0)
		r = instance_run_wait(store_run_fd(s->store), l->i.id, e);
	if (r >= 0)
		r = restart_start(s, &l->i, e);
	if (r == 0)
		eventlog_instance(s->store, &l->i, "restart", NULL, NULL);
	return r;
}

int restart_owed(struct session *s, const char *id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_conn struct conn c = CONN_INIT;
	struct instance_state st;
	struct start_opts o = {0};
	struct instance i;
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = instance_run_wait(store_run_fd(store), id, e);
	if (r < 0)
		return r;
	dir = instance_lock(store_root_fd(store), id, e);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	r = instance_state(store_root_fd(store), store_run_fd(store), id, &a, &st, e);
	if (r < 0 || !st.restarting || instance_alive(store_run_fd(store), id))
		return r;
	r = instance_load(store_root_fd(store), id, &a, &i, e);
	if (r < 0)
		return r;
	o.restarts = st.restarts;
	o.restart_wait_ms = st.restart_wait_ms;
	remove_traces(s, id);
	r = start_instance(s, &i, dir, &o, &c, e);
	return r < 0 ? r : start_wait(&c, e);
}

/* ---- boot ---- */

struct boot {
	struct session *s;
	void (*failed)(const struct instance *, const struct err *);
};

static bool wanted(const struct instance *i, const struct instance_state *st, bool alive)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct policy p = {0};
	struct policy_end end = {
	    .code = st->exit_code, .restarts = st->restarts, .stopped = st->stopped};

	if (jbind_parse(&request_table, i->request, strlen(i->request), &q, &a, "request", NULL) <
		0 ||
	    policy_parse(q.restart, &p, NULL) < 0)
		return false;
	/* As docker: a boot counts as a start of its own for "always". */
	end.stopped &= p.restart != POLICY_ALWAYS;
	/* One that still waits for its next run has a monitor to do it. */
	if (st->restarting)
		return st->status != INSTANCE_RESTARTING || !alive;
	return st->status == INSTANCE_EXITED && policy_again(&p, &end);
}

static int boot_one(const char *id, void *arg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct boot *b = arg;
	struct store *store = b->s->store;
	struct err why = ERR_INIT;
	struct instance_state st;
	struct instance i;
	int r;

	/* Not asked whether a monitor lives: one of an instance that has ended is about to go. */
	if (instance_load(store_root_fd(store), id, &a, &i, NULL) < 0 ||
	    instance_state(store_root_fd(store), store_run_fd(store), id, &a, &st, NULL) < 0 ||
	    !wanted(&i, &st, instance_alive(store_run_fd(store), id)))
		return 0;
	r = st.restarting ? restart_owed(b->s, id, &why) : restart_start(b->s, &i, &why);
	if (r < 0)
		b->failed(&i, &why);
	return 0;
}

int restart_boot(struct session *s, void (*failed)(const struct instance *, const struct err *),
		 struct err *e)
{
	struct boot b = {s, failed};
	struct store *store;
	int r = session_store(s, &store, e);

	return r < 0 ? r : instance_each(store_root_fd(store), boot_one, &b, e);
}

bool restart_has_tty(const struct instance *i)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};

	return jbind_parse(&request_table, i->request, strlen(i->request), &q, &a, "request",
			   NULL) == 0 &&
	       q.tty;
}
