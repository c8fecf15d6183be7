/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stop.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/conn.h"
#include "engine/session.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define TRIES 30000

/* Beside 0, it was stopped. */
enum { NOTHING = 1, AGAIN /* it went on to its next state meanwhile: look once more */ };

/* Between two runs no monitor lives, and a start is owed: take the debt back.  Under the lock,
 * which whoever starts it holds from before the monitor lives. */
static int cancel(struct session *s, const char *id, struct err *e)
{
	auto_fd int dir = instance_lock(store_root_fd(s->store), id, e);

	if (dir < 0)
		return dir;
	if (instance_alive(store_run_fd(s->store), id))
		return AGAIN;
	return unlinkat(dir, "again.json", 0) < 0 && errno != ENOENT
		   ? err_sys(e, "restart of instance %.12s", id)
		   : 0;
}

/* Its monitor is asked; one that came too late or too early has nobody to ask. */
static int ask(struct session *s, const char *id, const struct control_stop *how, struct err *e)
{
	int r = conn_stop(s, id, how, e);
	int lock;

	if (r >= 0 || (e->kind != ERR_CONFLICT && e->kind != ERR_SYSTEM))
		return r;
	*e = ERR_INIT;
	/* Who is starting it holds the lock until it runs. */
	lock = instance_lock(store_root_fd(s->store), id, NULL);
	fd_close(lock);
	return AGAIN;
}

static bool stoppable(const struct instance_state *st)
{
	return st->status == INSTANCE_RUNNING || st->status == INSTANCE_PAUSED || st->restarting;
}

static int once(struct session *s, const char *id, const struct control_stop *how, bool first,
		struct err *e)
{
	int root = store_root_fd(s->store), run = store_run_fd(s->store);
	auto_arena struct arena a = ARENA_INIT;
	struct instance_state st;
	int r = instance_state(root, run, id, &a, &st, e);

	if (r < 0)
		return r;
	if (!stoppable(&st))
		return first ? NOTHING : 0;
	return instance_alive(run, id) ? ask(s, id, how, e) : cancel(s, id, e);
}

int stop_instance(struct session *s, const struct instance *i, const struct control_stop *how,
		  struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e), n = 0;

	if (r < 0)
		return r;
	while ((r = once(s, i->id, how, !n, e)) == AGAIN && ++n < TRIES)
		/* A monitor that lets go tells nobody when. */
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (r == AGAIN)
		return err_set(e, ERR_TIMEOUT, "instance %.12s neither runs nor ends", i->id);
	/* It had ended, and was removed. */
	if (r == -ENOENT && n) {
		*e = ERR_INIT;
		return 0;
	}
	return r;
}
