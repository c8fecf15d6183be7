/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/update.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/limits.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "net/rate.h"
#include "spec/control.h"
#include "spec/plan.h"
#include "store/instance.h"
#include "store/store.h"

#include <poll.h>

#define REQUEST_MAX (2u << 20)
#define ANSWER_MS   15000
#define RETRY_MS    10

/* The fields of limits: from wins where it says something. */
static void overlay(struct request *to, const struct request *from)
{
#define TAKE(field)                                                                                \
	if (from->field)                                                                           \
	to->field = from->field
	TAKE(memory_bytes);
	TAKE(memory_reservation);
	TAKE(memory_swap);
	TAKE(cpu_shares);
	TAKE(cpu_period);
	TAKE(cpu_quota);
	TAKE(cpu_rt_period);
	TAKE(cpu_rt_runtime);
	TAKE(cpuset_cpus);
	TAKE(cpuset_mems);
	TAKE(blkio_weight);
	TAKE(restart);
	TAKE(network_rate);
	/* --cpus and --cpu-quota say the same in two ways: the later one holds. */
	if (from->cpu_period || from->cpu_quota)
		to->nano_cpus = 0;
	if (from->nano_cpus)
		to->cpu_period = to->cpu_quota = 0;
	TAKE(nano_cpus);
#undef TAKE
	if (from->pids.set)
		to->pids = from->pids;
}

/* What changes, and nothing else: an unchanged limit is not written anew. */
static int changed(const struct request *all, const struct request *change, struct arena *a,
		   struct plan_resources *out, struct err *e)
{
	struct request q = {.isolation = PLAN_CONTAINER};
	int r;

	overlay(&q, change);
	/* Swap is counted together with memory. */
	if (q.memory_swap || (q.memory_bytes && all->memory_swap)) {
		q.memory_bytes = all->memory_bytes;
		q.memory_swap = all->memory_swap;
	}
	if (q.cpu_period && !q.cpu_quota)
		q.cpu_quota = all->cpu_quota;
	*out = (struct plan_resources){0};
	r = limits_build(&q, a, out, e);
	if (!q.pids.set)
		out->pids = NULL;
	return r;
}

static bool nothing(const struct plan_resources *r)
{
	return !r->memory && !r->cpu && !r->pids && !r->block_io;
}

static int tell_monitor(struct session *s, const char *id, const struct control_update *u,
			struct err *e)
{
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	auto_arena struct arena a = ARENA_INIT;
	struct conn_question q = {.type = WIRE_UPDATE, .timeout_ms = ANSWER_MS};
	const char *text;
	int r;

	jbind_write(&control_update_table, u, &b);
	q.json = b.p;
	r = buf_fail(&b, "update", e);
	return r < 0 ? r : conn_ask(s, id, &q, &a, &text, e);
}

static int network(struct session *s, const struct instance *i, const struct request *change,
		   struct err *e)
{
	struct rate rate;
	int r = rate_parse(change->network_rate, &rate, e);

	/* What does not run has no attachments. */
	return r < 0 ? r : rate_change(store_run_fd(s->store), i->id, &rate, e);
}

/* The connection broke, or there is none (yet): the monitor ends, or has just been made. */
static bool lost(int r, const struct err *e)
{
	return r < 0 && (e->kind == ERR_CONFLICT || r == -ECONNRESET || r == -EPIPE || r == -EIO);
}

/* Who starts it again waits for the lock that we hold and reads the record then, so once no monitor
 * lives all is said.  An instance that ends and starts all the time is met at any moment between.
 */
static int tell_if_alive(struct session *s, const char *id, const struct control_update *u,
			 struct err *e)
{
	int r = 0;

	for (int ms = 0; instance_alive(store_run_fd(s->store), id); ms += RETRY_MS) {
		if (r < 0)
			poll(NULL, 0, RETRY_MS);
		*e = ERR_INIT;
		r = tell_monitor(s, id, u, e);
		if (!lost(r, e) || ms > ANSWER_MS)
			return r;
	}
	*e = ERR_INIT;
	return 0;
}

static int apply(struct session *s, struct instance *i, struct request *q,
		 const struct request *change, struct arena *a, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(REQUEST_MAX);
	struct plan_resources res, whole = {0};
	struct control_update u = {.restart = change->restart};
	int r = changed(q, change, a, &res, e);

	if (r == 0)
		r = request_check(q, e);
	if (r < 0)
		return r;
	if (!nothing(&res))
		u.resources = &res;
	else if (!change->restart && !change->network_rate)
		return err_set(e, ERR_USAGE, "nothing to update: no option was named");
	r = limits_build(q, a, &whole, e);
	if (r == 0 && change->network_rate)
		r = network(s, i, change, e);
	if (r == 0 && (u.resources || u.restart))
		r = tell_if_alive(s, i->id, &u, e);
	if (r < 0)
		return r;
	jbind_write(&request_table, q, &b);
	i->request = arena_dupn(a, b.p, b.len);
	return buf_fail(&b, "request", e);
}

int update_instance(struct session *s, const struct lookup *l, const struct request *change,
		    struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct instance i;
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	dir = instance_lock(store_root_fd(store), l->i.id, e);
	if (dir < 0)
		return dir;
	r = instance_load(store_root_fd(store), l->i.id, &a, &i, e);
	if (r == 0)
		r = jbind_parse(&request_table, i.request, strlen(i.request), &q, &a, "request", e);
	if (r < 0)
		return r;
	overlay(&q, change);
	r = apply(s, &i, &q, change, &a, e);
	if (r < 0)
		return r;
	r = instance_commit(dir, &i, !i.auto_remove, e);
	if (r == 0)
		eventlog_instance(store, &i, "update", NULL, NULL);
	return r;
}

void update_told(struct session *s, const char *id, const char *name)
{
	struct control_update u = {.name = name};

	if (instance_alive(store_run_fd(s->store), id))
		tell_monitor(s, id, &u, NULL);
}
