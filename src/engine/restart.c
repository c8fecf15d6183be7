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
#include "store/instance.h"
#include "store/store.h"

#include <string.h>

int restart_begin(struct session *s, const struct instance *i, const struct start_opts *o,
		  struct conn *out, struct err *e)
{
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

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
	if (instance_alive(store_run_fd(store), i->id)) {
		auto_arena struct arena a = ARENA_INIT;
		struct instance_state st;

		r = instance_state(store_root_fd(store), store_run_fd(store), i->id, &a, &st, e);
		if (r < 0 || st.status != INSTANCE_EXITED)
			return r;
		/* It has ended and its monitor is about to go. */
		r = instance_run_wait(store_run_fd(store), i->id, e);
		if (r < 0)
			return r;
	}
	r = restart_begin(s, i, &o, &c, e);
	return r < 0 ? r : start_wait(&c, e);
}

int restart_instance(struct session *s, const struct lookup *l, const struct control_stop *how,
		     struct err *e)
{
	int r = 0;

	if (l->state.pid) {
		r = conn_stop(s, l->i.id, how, e);
		if (r < 0 && e->kind == ERR_CONFLICT) {
			*e = ERR_INIT; /* it ended by itself meanwhile */
			r = 0;
		}
		if (r == 0)
			r = instance_run_wait(store_run_fd(s->store), l->i.id, e);
	}
	if (r == 0)
		r = restart_start(s, &l->i, e);
	if (r == 0)
		eventlog_instance(s->store, &l->i, "restart", NULL, NULL);
	return r;
}

bool restart_has_tty(const struct instance *i)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};

	return jbind_parse(&request_table, i->request, strlen(i->request), &q, &a, "request",
			   NULL) == 0 &&
	       q.tty;
}
