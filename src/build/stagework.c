/* SPDX-License-Identifier: Apache-2.0 */
#include "build/stagework.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/builder.h"
#include "build/stages.h"
#include "sys/fd.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define TEXT_MAX    (64u << 10)
#define RECORD_MAX  (TEXT_MAX + 4096)

/* What a worker says, in the memory layout of the one program that both are. */
enum record_type { RECORD_EVENT, RECORD_KEY, RECORD_END };
struct record {
	uint32_t type, len;
};
struct record_event {
	int kind, line;
	unsigned int number, step, steps;
	int64_t ns;
	uint32_t stage_len, text_len;
};
struct record_end {
	int r;
	struct stagework_failure why;
	struct err e;
};

struct worker {
	pid_t pid; /* 0: none */
	int fd;
	size_t stage;
	struct buf in;
	struct strs keys;
	bool ended;
	struct record_end end;
};

struct work {
	const struct stagework *w;
	struct stagework_failure *why;
	struct arena a;
	bool *done, *begun; /* by stage */
	size_t left;
	struct worker workers[WORKERS_MAX];
	size_t cpus, running;
};

/* ---- the worker's side ---- */

static void send_record(int up, enum record_type type, const struct buf *payload)
{
	struct record r = {.type = type, .len = (uint32_t)payload->len};

	/* Nobody to hear it: the build has ended, and so will this process. */
	if (fd_write_all(up, &r, sizeof(r)) < 0 || fd_write_all(up, payload->p, payload->len) < 0)
		_exit(1);
}

static size_t text_len(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n > TEXT_MAX / 2 ? TEXT_MAX / 2 : n;
}

void stagework_tell(int up, const struct builder_event *ev)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	size_t at = 0, len = ev->kind == BUILDER_OUTPUT ? ev->len : text_len(ev->text);

	do { /* output may be longer than a record */
		size_t n = len - at > TEXT_MAX / 2 ? TEXT_MAX / 2 : len - at;
		struct record_event r = {.kind = ev->kind,
					 .line = ev->line,
					 .number = ev->number,
					 .step = ev->step,
					 .steps = ev->steps,
					 .ns = ev->ns,
					 .stage_len = (uint32_t)text_len(ev->stage),
					 .text_len = (uint32_t)n};

		b.len = 0;
		buf_add(&b, &r, sizeof(r));
		buf_add(&b, ev->stage ? ev->stage : "", r.stage_len);
		buf_add(&b, ev->text ? ev->text + at : "", n);
		send_record(up, RECORD_EVENT, &b);
		at += n;
	} while (at < len);
}

void stagework_key(int up, const char key[65])
{
	auto_buf struct buf b = BUF_INIT(65);

	buf_add(&b, key, 64);
	send_record(up, RECORD_KEY, &b);
}

static void worker_main(const struct stagework *w, size_t stage, int up)
{
	auto_buf struct buf b = BUF_INIT(sizeof(struct record_end));
	struct record_end end = {.e = ERR_INIT};
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	end.r = w->build(w->ctx, stage, up, &end.why, &end.e);
	buf_add(&b, &end, sizeof(end));
	send_record(up, RECORD_END, &b);
	/* Its leases hold until the stage has been played again over there. */
	while (read(up, &c, 1) < 0 && errno == EINTR)
		;
	w->leave(w->ctx);
}

/* ---- what workers say ---- */

static void take_event(struct work *k, const char *p, size_t len)
{
	struct record_event r;
	struct builder_event ev;
	auto_arena struct arena a = ARENA_INIT;

	if (len < sizeof(r))
		return;
	memcpy(&r, p, sizeof(r));
	p += sizeof(r);
	if (len - sizeof(r) != (size_t)r.stage_len + r.text_len)
		return;
	ev = (struct builder_event){.kind = r.kind,
				    .line = r.line,
				    .number = r.number,
				    .step = r.step,
				    .steps = r.steps,
				    .ns = r.ns,
				    .stage = arena_dupn(&a, p, r.stage_len),
				    .text = arena_dupn(&a, p + r.stage_len, r.text_len),
				    .len = r.text_len};
	k->w->event(k->w->ctx, &ev);
}

static void take_record(struct work *k, struct worker *wk, const struct record *r, const char *p)
{
	if (r->type == RECORD_EVENT)
		take_event(k, p, r->len);
	else if (r->type == RECORD_KEY && r->len == 64)
		arena_strs_add(&k->a, &wk->keys, arena_dupn(&k->a, p, 64));
	else if (r->type == RECORD_END && r->len == sizeof(wk->end)) {
		memcpy(&wk->end, p, sizeof(wk->end));
		wk->ended = true;
	}
}

/* All whole records that came. */
static void take_records(struct work *k, struct worker *wk)
{
	size_t at = 0;
	struct record r;

	while (wk->in.len - at >= sizeof(r)) {
		memcpy(&r, wk->in.p + at, sizeof(r));
		if (wk->in.len - at - sizeof(r) < r.len)
			break;
		take_record(k, wk, &r, wk->in.p + at + sizeof(r));
		at += sizeof(r) + r.len;
	}
	memmove(wk->in.p, wk->in.p + at, wk->in.len - at);
	wk->in.len -= at;
}

static void stop(struct worker *wk, bool kill_it)
{
	if (!wk->pid)
		return;
	if (kill_it)
		kill(wk->pid, SIGKILL);
	shutdown(wk->fd, SHUT_RDWR); /* other workers have inherited it */
	close(wk->fd);
	while (waitpid(wk->pid, NULL, 0) < 0 && errno == EINTR)
		;
	buf_free(&wk->in);
	wk->pid = 0;
}

/* ---- order ---- */

static bool is_ready(const struct work *k, size_t stage)
{
	const struct stages_one *sg = &k->w->stages->v[stage];

	if (k->begun[stage])
		return false;
	for (size_t i = 0; i < sg->needs_n; i++)
		if (!k->done[sg->needs[i]])
			return false;
	return true;
}

static size_t count_ready(const struct work *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->w->stages->order_n; i++)
		n += is_ready(k, k->w->stages->order[i]);
	return n;
}

static int start(struct work *k, size_t stage, struct err *e)
{
	struct worker *wk = k->workers;
	int pair[2];

	while (wk->pid)
		wk++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	*wk = (struct worker){.fd = pair[0], .stage = stage, .in = BUF_INIT(4 * RECORD_MAX)};
	wk->pid = fork();
	if (wk->pid == 0) {
		close(pair[0]);
		worker_main(k->w, stage, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (wk->pid < 0) {
		wk->pid = 0;
		close(pair[0]);
		return err_sys(e, "fork");
	}
	k->begun[stage] = true;
	k->running++;
	return 0;
}

static int build_here(struct work *k, size_t stage, struct err *e)
{
	int r;

	k->begun[stage] = true;
	r = k->w->build(k->w->ctx, stage, -1, k->why, e);
	k->done[stage] = r >= 0;
	k->left--;
	return r;
}

static int finish(struct work *k, struct worker *wk, struct err *e)
{
	int r = wk->end.r;

	k->running--;
	if (!wk->ended) {
		r = err_set(e, ERR_SYSTEM, "the process of stage '%s' was killed",
			    k->w->stages->v[wk->stage].title);
	} else if (r < 0) {
		*k->why = wk->end.why;
		if (e)
			*e = wk->end.e;
	} else {
		r = k->w->replay(k->w->ctx, wk->stage, &wk->keys, e);
	}
	stop(wk, false);
	if (r == -ENOENT && wk->end.r >= 0 && wk->ended) { /* somebody pruned the cache meanwhile */
		if (e)
			*e = ERR_INIT;
		return build_here(k, wk->stage, e);
	}
	k->done[wk->stage] = r >= 0;
	k->left--;
	return r;
}

static int listen_to(struct work *k, struct err *e)
{
	struct pollfd p[WORKERS_MAX];
	struct worker *who[WORKERS_MAX];
	nfds_t n = 0;
	int r = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (k->workers[i].pid) {
			who[n] = &k->workers[i];
			p[n++] = (struct pollfd){.fd = k->workers[i].fd, .events = POLLIN};
		}
	if (poll(p, n, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	for (nfds_t i = 0; r >= 0 && i < n; i++) {
		char chunk[RECORD_MAX];
		ssize_t got = p[i].revents ? read(p[i].fd, chunk, sizeof(chunk)) : -1;

		if (got > 0) {
			buf_add(&who[i]->in, chunk, (size_t)got);
			take_records(k, who[i]);
		}
		if (got == 0 || who[i]->ended)
			r = finish(k, who[i], e);
	}
	return r;
}

static int run_all(struct work *k, struct err *e)
{
	const struct stages *s = k->w->stages;
	int r = 0;

	while (r >= 0 && k->left) {
		size_t ready = count_ready(k);

		for (size_t i = 0; r >= 0 && i < s->order_n; i++) {
			if (!is_ready(k, s->order[i]) || k->running >= k->cpus)
				continue;
			if (ready == 1 && !k->running) {
				r = build_here(k, s->order[i], e);
				break;
			}
			r = start(k, s->order[i], e);
		}
		if (r >= 0 && k->running)
			r = listen_to(k, e);
	}
	return r;
}

int stagework_run(const struct stagework *w, struct stagework_failure *why, struct err *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct work k = {.w = w, .why = why, .a = ARENA_INIT, .left = w->stages->order_n};
	int r;

	k.cpus = cpus < 1 || w->alone ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (size_t)cpus;
	k.done = arena_array(&k.a, w->stages->n, sizeof(bool));
	k.begun = arena_array(&k.a, w->stages->n, sizeof(bool));
	r = run_all(&k, e);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		stop(&k.workers[i], true);
	arena_free(&k.a);
	return r;
}
