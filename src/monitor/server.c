/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/server.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "monitor/client.h"
#include "monitor/standing.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define PLAN_MAX (WIRE_PAYLOAD_MAX * 4)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One-shot.  < 0: none could be made. */
static int set_timer(struct server *s, struct watch *w, int64_t ms,
		     void (*due)(struct watch *, uint32_t))
{
	struct itimerspec t = {.it_value = {ms / 1000, ms % 1000 * 1000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	loop_drop(w);
	if (fd < 0 || timerfd_settime(fd, 0, &t, NULL) < 0) {
		fd_close(fd);
		return -1;
	}
	return loop_watch(&s->loop, w, fd, EPOLLIN, due);
}

/* ---- processes ---- */

struct proc *server_main(struct server *s)
{
	struct proc *p = s->procs;

	while (p->next)
		p = p->next;
	return p;
}

struct proc *server_new_proc(struct server *s, bool tty, bool wants_input)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct proc){.server = s,
			   .next = s->procs,
			   .number = ++s->last_number,
			   .tty = tty,
			   .wants_input = wants_input};
	s->procs = p;
	return p;
}

void server_drop_proc(struct proc *p)
{
	struct proc **l;

	for (l = &p->server->procs; *l != p; l = &(*l)->next)
		;
	*l = p->next;
	while (p->links)
		client_unlink(p->links);
	p->server->ops->forget(p);
	outq_done(&p->in);
	free(p);
}

/* ---- records ---- */

static void write_doc(struct server *s, const char *name, const struct buf *b)
{
	/* What must not be lost is the code of an instance that stays. */
	enum file_sync sync =
	    s->auto_remove || strcmp(name, "exit.json") != 0 ? FILE_LAZY : FILE_DURABLE;

	if (file_replace(s->state_fd, name, b->p, b->len, 0600, sync) < 0)
		s->exit_status = 1; /* a full disk: the state is then derived from the lock */
}

static void write_start(struct server *s, int64_t pid)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b, "{\"pid\":%lld,\"monitor_pid\":%d,\"started_ns\":%lld", (long long)pid,
		   (int)getpid(), (long long)now_ns());
	s->started_ns = now_ns();
	if (s->restarts)
		buf_printf(&b, ",\"restarts\":%lld", (long long)s->restarts);
	/* Our own engine's text: an IPv4 address, nothing to escape. */
	if (s->setup->address)
		buf_printf(&b, ",\"address\":\"%s\"", s->setup->address);
	if (s->checkup.config.test.n)
		buf_puts(&b, ",\"health\":true");
	buf_puts(&b, "}");
	write_doc(s, "start.json", &b);
	/* What was owed is done, and not before. */
	unlinkat(s->state_fd, "again.json", 0);
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void json_text(struct buf *b, const char *text)
{
	buf_puts(b, "\"");
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\')
			buf_printf(b, "\\u%04x", (unsigned char)*text);
		else
			buf_add(b, text, 1);
	buf_puts(b, "\"");
}

/* What exit.json says; kept to be written again when the wait for a restart is given up. */
static void write_exit(struct server *s, int code, bool oom, const char *error)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b, "{\"code\":%d,\"finished_ns\":%lld", code, (long long)now_ns());
	if (oom)
		buf_puts(&b, ",\"oom\":true");
	if (s->stop_asked)
		buf_puts(&b, ",\"stopped\":true");
	if (error) {
		buf_puts(&b, ",\"error\":");
		json_text(&b, error);
	}
	buf_puts(&b, "}");
	write_doc(s, "exit.json", &b);
	if (!s->waiting)
		unlinkat(s->state_fd, "again.json", 0);
}

/* ---- what workloads tell ---- */

void server_started(struct proc *p, int64_t pid)
{
	struct server *s = p->server;
	uint32_t n = (uint32_t)pid;

	p->started = true;
	if (p->number == 1) {
		s->started = true;
		write_start(s, pid);
		teller_event(&s->teller, "start", NULL, NULL);
		checkup_begin(&s->checkup);
		for (struct client *c = s->clients; c; c = c->next)
			if (c->first)
				client_send(c, WIRE_STARTED, 0, &n, sizeof(n));
		/* After those who are waited for: it is not on the way of a start. */
		standing_last(&s->oom_score);
	} else {
		for (struct link *l = p->links; l; l = l->next_of_proc)
			client_send(l->client, WIRE_STARTED, l->stream, &n, sizeof(n));
	}
	if (p->in.len || p->in_eof)
		s->ops->input(p);
}

void server_failed(struct proc *p, const struct err *why)
{
	struct server *s = p->server;

	for (struct link *l = p->links; l; l = l->next_of_proc)
		client_send_err(l->client, l->stream, why);
	p->ended = true;
	if (p == s->checkup.probe)
		checkup_failed(&s->checkup, why);
	if (p->number != 1) {
		server_drop_proc(p);
		return;
	}
	s->ended = true;
	s->failure = *why;
	logsink_finish(&s->log);
	s->ops->end(s);
	write_exit(s,
		   why->kind == ERR_NO_COMMAND ? 127
		   : why->kind == ERR_NOT_EXEC ? 126
					       : 125,
		   false, why->msg);
	for (struct client *c = s->clients; c; c = c->next)
		if (c->first)
			client_send_err(c, 0, why);
	server_settle(s);
}

/* Its owner does not read, or its log is not written. */
static bool must_wait(const struct proc *p)
{
	if (p->number == 1 && logsink_full(&p->server->log))
		return true;
	for (const struct link *l = p->links; l; l = l->next_of_proc)
		if (l->owner && l->client->out.len > CLIENT_QUEUE_FULL)
			return true;
	return false;
}

void server_output(struct proc *p, enum logfile_stream stream, const char *data, size_t len)
{
	static bool seen;
	bool err = stream == LOGFILE_STDERR;

	if (p == p->server->checkup.probe) {
		checkup_output(&p->server->checkup, data, len);
		return;
	}
	if (!seen)
		trace_mark(TRACE_FIRST_OUTPUT);
	seen = true;
	if (p->number == 1)
		logsink_write(&p->server->log, stream, data, len);
	for (struct link *l = p->links; l; l = l->next_of_proc)
		if (err ? l->err : l->out)
			client_send(l->client, err ? WIRE_STDERR : WIRE_STDOUT, l->stream, data,
				    len);
	p->congested |= must_wait(p);
}

void server_flow(struct proc *p)
{
	if (!p->congested || must_wait(p))
		return;
	p->congested = false;
	p->server->ops->flow(p);
}

static void log_drained(struct logsink *l)
{
	server_flow(server_main(loop_owner(l, struct server, log)));
}

void server_took(struct proc *p, size_t n)
{
	for (struct link *l = p->links; l && n; l = l->next_of_proc) {
		uint32_t k = (uint32_t)(l->in_pending < n ? l->in_pending : n);

		if (!k)
			continue;
		l->in_pending -= k;
		n -= k;
		client_send(l->client, WIRE_WINDOW, l->stream, &k, sizeof(k));
	}
}

static void tell_exit(struct proc *p)
{
	uint32_t status = (uint32_t)p->status;

	for (struct link *l = p->links; l; l = l->next_of_proc)
		client_send(l->client, WIRE_EXIT, l->stream, &status, sizeof(status));
	while (p->links)
		client_unlink(p->links);
}

static void restart_due(struct watch *w, uint32_t events)
{
	struct server *s = loop_owner(w, struct server, restart_timer);

	loop_drop(w);
	s->again = true;
	s->loop.stop = true;
}

/* Before exit.json: a kill -9 from here on leaves the debt written. */
static void write_again(struct server *s)
{
	auto_buf struct buf b = BUF_INIT(256);

	buf_printf(&b, "{\"restarts\":%lld,\"wait_ms\":%lld}", (long long)s->restarts + 1,
		   (long long)s->restart_wait_ms);
	write_doc(s, "again.json", &b);
}

static void decide_restart(struct server *s, int code)
{
	struct policy_end end = {
	    .code = code, .restarts = s->restarts, .stopped = s->stop_asked || s->going_down};
	int64_t ms = policy_wait_ms(s->restart_wait_ms, (now_ns() - s->started_ns) / 1000000);

	if (!policy_again(&s->policy, &end) || set_timer(s, &s->restart_timer, ms, restart_due) < 0)
		return;
	s->waiting = true;
	s->restart_wait_ms = ms;
	write_again(s);
}

void server_stay_ended(struct server *s)
{
	s->waiting = false;
	s->stop_asked = true;
	loop_drop(&s->restart_timer);
	write_exit(s, exit_code(server_main(s)->status), s->oom, NULL);
	server_settle(s);
}

void server_oom(struct server *s)
{
	s->oom_told = true;
	teller_event(&s->teller, "oom", NULL, NULL);
}

static void tell_end(struct server *s, int code, bool oom)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", code);
	if (oom && !s->oom_told)
		teller_event(&s->teller, "oom", NULL, NULL);
	teller_event(&s->teller, "die", "exitCode", text);
	if (s->stop_asked)
		teller_event(&s->teller, "stop", NULL, NULL);
}

void server_lingers(struct proc *p, int status)
{
	uint32_t code = (uint32_t)status;

	for (struct link *l = p->links; l; l = l->next_of_proc)
		client_send(l->client, WIRE_EXIT, l->stream, &code, sizeof(code));
}

void server_exited(struct proc *p, int status)
{
	struct server *s = p->server;
	char code[16];
	bool oom;

	p->status = status;
	p->ended = true;
	if (p == s->checkup.probe) {
		checkup_ended(&s->checkup, status);
		server_drop_proc(p);
		return;
	}
	if (p->number != 1) {
		snprintf(code, sizeof(code), "%d", exit_code(status));
		teller_event(&s->teller, "exec_die", "exitCode", code);
		tell_exit(p);
		server_drop_proc(p);
		return;
	}
	trace_begin(TRACE_CLEANUP);
	loop_drop(&s->stop_timer);
	checkup_end(&s->checkup);
	logsink_finish(&s->log);
	oom = s->ops->oom(s);
	s->ops->end(s);
	decide_restart(s, exit_code(status));
	s->oom = oom;
	write_exit(s, exit_code(status), oom, s->failure.kind == ERR_NONE ? NULL : s->failure.msg);
	unlinkat(s->run_fd, "paused", 0);
	tell_end(s, exit_code(status), oom);
	s->ended = true;
	trace_end(TRACE_CLEANUP);
	tell_exit(p);
	if (s->discard)
		client_discard(s, NULL);
	server_settle(s);
}

/* ---- stopping ---- */

static void stop_due(struct watch *w, uint32_t events)
{
	struct server *s = loop_owner(w, struct server, stop_timer);

	loop_drop(w);
	s->ops->kill(s, NULL);
}

int server_stop(struct server *s, int sig, int64_t timeout_ms, struct err *e)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", timeout_ms == 0 ? SIGKILL : sig);
	teller_event(&s->teller, "kill", "signal", text);
	if (timeout_ms == 0 || sig == SIGKILL)
		return s->ops->kill(s, e);
	r = s->ops->deliver(s, server_main(s), sig, e);
	if (r < 0)
		return r;
	/* A frozen process takes its signal when it thaws. */
	if (s->frozen && s->ops->freeze(s, false, e) == 0)
		s->frozen = false;
	if (timeout_ms < 0)
		return 0;
	return set_timer(s, &s->stop_timer, timeout_ms, stop_due) < 0
		   ? err_set(e, ERR_SYSTEM, "timer cannot be watched")
		   : 0;
}

/* The host goes down, or somebody wants the instance gone with its monitor. */
static void term_ready(struct watch *w, uint32_t events)
{
	struct server *s = loop_owner(w, struct server, term);
	struct signalfd_siginfo si;

	if (read(w->fd, &si, sizeof(si)) != sizeof(si))
		return;
	/* What is to be started again stays so in its record: the next boot does it. */
	s->going_down = true;
	if (!s->started || s->ended)
		s->loop.stop = true;
	else
		server_stop(s, s->stop_number, s->stop_timeout_ms, NULL);
}

void server_client_gone(struct server *s, struct client *c)
{
	if (c->first && !s->start_asked)
		s->loop.stop = true;
	if (c->reaper)
		s->reaped_by_client = false;
	if (c->tied && s->started && !s->ended)
		s->ops->kill(s, NULL);
}

void server_settle(struct server *s)
{
	if (!s->ended || s->waiting)
		return;
	s->reaped_by_client = false;
	for (struct client *c = s->clients; c; c = c->next) {
		/* Whose output this is gets it to the last byte; others had their chance. */
		if (c->out.len && (c->first || c->reaper))
			return;
		s->reaped_by_client |= c->reaper && !c->doomed;
	}
	s->loop.stop = true;
}

/* ---- life ---- */

static void accept_ready(struct watch *w, uint32_t events)
{
	struct server *s = loop_owner(w, struct server, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		client_new(s, fd, false);
}

int server_plan(struct server *s, struct arena *a, struct plan **out, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n;

	if (lseek(s->setup->plan_fd, 0, SEEK_SET) < 0)
		return err_sys(e, "plan");
	n = fd_slurp(s->setup->plan_fd, PLAN_MAX, &text);
	if (n < 0)
		return err_set(e, ERR_SYSTEM, "plan: %s", strerror((int)-n));
	return plan_parse(text, (size_t)n, "plan", a, out, e);
}

static int signal_number(const char *name)
{
	for (int i = 1; name && i < NSIG; i++) {
		const char *abbrev = sigabbrev_np(i);

		if (abbrev && strncmp(name, "SIG", 3) == 0 && strcmp(name + 3, abbrev) == 0)
			return i;
	}
	return name && strtol(name, NULL, 10) > 0 ? (int)strtol(name, NULL, 10) : SIGTERM;
}

static int adopt_plan(struct server *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct plan_caisson *c;
	struct plan *p;
	int r = server_plan(s, &a, &p, e);

	if (r < 0)
		return r;
	c = p->caisson;
	if (!c || !c->state_dir || !c->run_dir || !p->process)
		return err_set(e, ERR_CORRUPT, "plan: not one of the engine's");
	s->ops = c->machine		   ? &workload_in_ops
		 : c->isolation == PLAN_VM ? &workload_vm_ops
					   : &workload_container_ops;
	teller_init(&s->teller, s->setup->run_root, p);
	checkup_init(&s->checkup, s, p);
	r = policy_parse(c->restart, &s->policy, e);
	if (r < 0)
		return r;
	s->restarts = c->restarts;
	s->restart_wait_ms = c->restart_wait_ms;
	s->auto_remove = c->auto_remove;
	s->stop_number = signal_number(c->stop_signal);
	s->stop_timeout_ms = c->stop_timeout_s * 1000;
	s->state_fd = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state_fd < 0)
		return err_sys(e, "%s", c->state_dir);
	s->run_fd = open(c->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->run_fd < 0)
		return err_sys(e, "%s", c->run_dir);
	server_new_proc(s, p->process->terminal, c->open_stdin);
	s->log.drained = log_drained;
	return logsink_open(&s->log, &s->loop, s->state_fd, c, e);
}

static int watch_outside(struct server *s, struct err *e)
{
	sigset_t set;
	int fd, r;

	unlinkat(s->run_fd, "ctl", 0);
	fd = sock_listen(s->run_fd, "ctl", 0600);
	r = fd < 0 ? fd : loop_watch(&s->loop, &s->listener, fd, EPOLLIN, accept_ready);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "control socket");
	}
	/* Blocked only from here on: the runtime's children set their own mask before execve. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = fd < 0 ? -errno : loop_watch(&s->loop, &s->term, fd, EPOLLIN, term_ready);
	return r < 0 ? err_set(e, ERR_SYSTEM, "signalfd: %s", strerror(-r)) : 0;
}

/* The engine waits on this connection; it must hear why, whatever went wrong. */
static int tell_engine(struct server *s, int r, const struct err *e)
{
	if (r < 0)
		wire_send(s->setup->conn_fd, WIRE_ERR, 0, e, sizeof(*e), NULL);
	return r;
}

static int begin(struct server *s, struct err *e)
{
	int r = loop_init(&s->loop, e);

	standing_apart(s->setup->run_root);
	if (r == 0)
		r = adopt_plan(s, e);
	if (r == 0)
		r = watch_outside(s, e);
	if (r == 0)
		r = s->ops->create(s, e);
	/* What parsing took is given back before the long life begins. */
	malloc_trim(0);
	return tell_engine(s, r, e);
}

static void finish(struct server *s)
{
	if (!s->ended)
		s->ops->end(s);
	while (s->clients)
		client_close(s->clients);
	unlinkat(s->run_fd, "ctl", 0);
	logsink_finish(&s->log);
	checkup_end(&s->checkup);
	teller_done(&s->teller);
	loop_done(&s->loop);
}

/* Network, automatic removal, starting again: the engine's work.  Becomes the engine's program, so
 * that the lock is let go (close-on-exec) at the moment it starts. */
static int reap(struct server *s, const char *id, struct err *e)
{
	const char *self = s->setup->self;

	standing_usual(&s->oom_score);
	execl(self, self, "--root", s->setup->root, "--run-root", s->setup->run_root,
	      s->again ? "__again" : "__reap", id, (char *)NULL);
	return err_sys(e, "%s", self);
}

int server_run(const struct server_setup *setup, struct err *e)
{
	struct server s = {.setup = setup,
			   .state_fd = -1,
			   .run_fd = -1,
			   .listener = WATCH_INIT,
			   .stop_timer = WATCH_INIT,
			   .restart_timer = WATCH_INIT,
			   .term = WATCH_INIT,
			   .checkup = CHECKUP_INIT,
			   .log = LOGSINK_INIT};
	auto_arena struct arena a = ARENA_INIT;
	struct plan *plan;
	int r = begin(&s, e);

	if (r < 0)
		return r;
	if (!client_new(&s, setup->conn_fd, true))
		s.loop.stop = true;
	r = loop_run(&s.loop, e);
	if ((s.reaped_by_client && !s.again) || r < 0) {
		finish(&s);
		/* Who waits for it need not wait for our memory to be taken down. */
		close(setup->lock_fd);
		return r < 0 ? r : s.exit_status;
	}
	r = server_plan(&s, &a, &plan, e);
	finish(&s);
	return r < 0 ? r : reap(&s, plan->caisson->id, e);
}
