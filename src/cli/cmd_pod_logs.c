/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/timearg.h"
#include "engine/logs.h"
#include "engine/lookup.h"
#include "engine/pod.h"
#include "fmt/logline.h"
#include "sys/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct pod_logs_args {
	bool follow, names, timestamps;
	int64_t tail;
	const char *container, *since, *until;
};

static const struct opt pod_logs_opts[] = {
    OPT(struct pod_logs_args, container, .name = "container", .letter = 'c', .type = OPT_STR,
	.arg = "INSTANCE", .help = "only of this one"),
    OPT(struct pod_logs_args, follow, .name = "follow", .letter = 'f', .type = OPT_BOOL,
	.help = "go on until all of them have ended"),
    OPT(struct pod_logs_args, names, .name = "names", .letter = 'n', .type = OPT_BOOL,
	.help = "names before the lines instead of ids"),
    OPT(struct pod_logs_args, since, .name = "since", .type = OPT_STR, .arg = "TIME",
	.help = "from this time on: 2026-11-21T12:00:00Z, seconds, or 10m ago"),
    OPT(struct pod_logs_args, tail, .name = "tail", .type = OPT_INT, .arg = "N", .min = -1,
	.max = 1 << 30, .preset = "-1", .help = "only the last lines of each; -1: all"),
    OPT(struct pod_logs_args, timestamps, .name = "timestamps", .letter = 't', .type = OPT_BOOL,
	.help = "show when each line was written"),
    OPT(struct pod_logs_args, until, .name = "until", .type = OPT_STR, .arg = "TIME",
	.help = "up to this time"),
    OPT_END,
};

struct source {
	const struct pod_logs_args *args;
	const struct lookup *l;
};

/* One write a line: several followers write to the same place. */
static int line(const struct logline *l, const char *text, size_t len, void *arg)
{
	const struct source *src = arg;
	auto_buf struct buf b = BUF_INIT(4 << 20);

	if (src->args->names)
		buf_printf(&b, "%s ", src->l->i.name);
	else
		buf_printf(&b, "%.*s ", INSTANCE_SHORT_ID, src->l->i.id);
	if (src->args->timestamps)
		buf_printf(&b, "%.*s ", (int)l->time_len, l->time);
	buf_add(&b, text, len);
	return fd_write_all(l->err ? STDERR_FILENO : STDOUT_FILENO, b.p, b.len) < 0 ? -EPIPE : 0;
}

static int show(struct session *s, const struct pod_logs_args *la, const struct lookup *l,
		const struct logs_query *q, struct err *e)
{
	struct source src = {la, l};
	int r = logs_read(s, &l->i, q, line, &src, e);

	return r == -EPIPE ? 1 : r;
}

/* A child each, which ends with us. */
static int follow(struct session *s, const struct pod_logs_args *la, const struct lookups *l,
		  const struct logs_query *q)
{
	pid_t parent = getpid();
	int status, failed = 0;

	fflush(stdout);
	for (size_t i = 0; i < l->n; i++) {
		struct err e = ERR_INIT;
		pid_t pid = fork();
		int r;

		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		r = show(s, la, &l->v[i], q, &e);
		if (r < 0)
			each_failed(&e);
		_exit(r != 0);
	}
	while (wait(&status) > 0 || errno == EINTR)
		failed |= status != 0;
	return failed;
}

static int pick(const struct lookups *all, const char *name, struct lookups *out, struct err *e)
{
	for (size_t i = 0; i < all->n; i++)
		if (streq(all->v[i].i.name, name) || str_after(all->v[i].i.id, name)) {
			*out = (struct lookups){&all->v[i], 1};
			return 0;
		}
	return err_set(e, ERR_NOT_FOUND, "no instance '%.80s' in the pod", name);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_logs_args *la = args;
	auto_arena struct arena a = ARENA_INIT;
	struct logs_query q = {.tail = la->tail, .follow = la->follow, .wake_fd = -1};
	struct lookups members;
	struct lookup pod;
	int r = timearg_parse("since", la->since, &q.since_ns, e);

	if (r == 0)
		r = timearg_parse("until", la->until, &q.until_ns, e);
	if (r == 0)
		r = pod_find(s, argv[0], &a, &pod, e);
	if (r == 0)
		r = pod_members(s, pod.i.id, &a, &members, e);
	if (r == 0 && la->container)
		r = pick(&members, la->container, &members, e);
	if (r == 0 && la->follow)
		return follow(s, la, &members, &q);
	for (size_t i = 0; r == 0 && i < members.n; i++)
		r = show(s, la, &members.v[i], &q, e);
	return r;
}

extern const struct cmd cmd_pod_logs;
const struct cmd cmd_pod_logs = {
    .name = "pod logs",
    .group = "pods",
    .operands = "POD",
    .summary = "show what the containers of a pod wrote",
    .opts = pod_logs_opts,
    .args_size = sizeof(struct pod_logs_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
