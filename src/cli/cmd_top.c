/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pscolumn.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "spec/plan.h"
#include "spec/top.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS  10000
#define PASSWD_MAX (4u << 20)

static const struct opt top_opts[] = {OPT_END};

static int ask(struct session *s, const struct lookup *l, struct arena *a, struct top_list *out,
	       struct err *e)
{
	struct conn_question q = {.type = WIRE_TOP, .timeout_ms = ANSWER_MS};
	const char *text;
	int r;

	if (!l->state.pid)
		return err_set(e, ERR_CONFLICT, "instance '%s' is not running", l->i.name);
	r = conn_ask(s, l->i.id, &q, a, &text, e);
	return r < 0 ? r : jbind_parse(&top_table, text, strlen(text), out, a, "processes", e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pscolumn *columns[PSCOLUMN_MAX];
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(16 << 20);
	auto_free char *passwd = NULL;
	struct pscolumn_view v = {.columns = columns, .now_ms = (long long)time(NULL) * 1000};
	struct top_list list = {0};
	struct lookup l;
	int n = pscolumn_pick(argc - 1, argv + 1, columns, e), r;

	if (n < 0)
		return n;
	v.n = (size_t)n;
	r = lookup_find(s, argv[0], &a, &l, e);
	if (r == 0)
		r = ask(s, &l, &a, &list, e);
	if (r < 0)
		return r;
	/* Ids of a container are the host's own; those of a guest have no names here. */
	if (l.i.isolation == PLAN_CONTAINER &&
	    file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &passwd) > 0)
		v.passwd = passwd;
	pscolumn_print(&v, &list, &out);
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}

extern const struct cmd cmd_top;
const struct cmd cmd_top = {
    .name = "top",
    .group = "instances",
    .operands = "INSTANCE [PS OPTIONS]",
    .summary = "list the processes of an instance",
    .opts = top_opts,
    .operands_min = 1,
    .operands_max = -1,
    .flags = CMD_OPERANDS,
    .run = run,
};
