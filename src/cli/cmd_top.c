/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "engine/lookup.h"
#include "engine/pscolumn.h"
#include "spec/plan.h"
#include "spec/top.h"
#include "sys/file.h"

#include <fcntl.h>
#include <time.h>

#define PASSWD_MAX (4u << 20)

static const struct opt top_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pscolumn *columns[PSCOLUMN_MAX];
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf lines = BUF_INIT(8 << 20);
	auto_free char *passwd = NULL;
	struct pscolumn_view v = {.columns = columns, .now_ms = (long long)time(NULL) * 1000};
	struct top_list list = {0};
	struct lookup l;
	int n = pscolumn_pick(argc - 1, (const char *const *)argv + 1, columns, e), r;

	if (n < 0)
		return n;
	v.n = (size_t)n;
	r = lookup_find(s, argv[0], &a, &l, e);
	if (r == 0)
		r = pscolumn_ask(s, &l, &a, &list, e);
	if (r < 0)
		return r;
	/* Ids of a container are the host's own; those of a guest have no names here. */
	if (l.i.isolation == PLAN_CONTAINER &&
	    file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &passwd) > 0)
		v.passwd = passwd;
	pscolumn_lines(&v, &list, &lines);
	return listing_print(&lines, true, e);
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
