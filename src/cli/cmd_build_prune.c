/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "build/buildprune.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "cli/timearg.h"
#include "engine/session.h"

#include <stdbool.h>
#include <stdio.h>

struct build_prune_args {
	bool force;
	uint64_t keep;
	const char *limit;
	struct opt_list filter;
};

static const struct opt opts[] = {
    OPT(struct build_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "until=TIME",
	.help = "only what was not used since"),
    OPT(struct build_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT(struct build_prune_args, keep, .name = "keep-storage", .type = OPT_BYTES, .arg = "SIZE",
	.help = "what was used last may stay, up to this size"),
    OPT(struct build_prune_args, limit, .name = "limit", .type = OPT_STR, .arg = "SIZE",
	.help = "from now on every build leaves at most this; 0: any amount"),
    OPT_END,
};

static int read_filter(const struct opt_list *l, int64_t *before_ns, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		const char *until = str_after(l->v[i], "until=");

		if (!until)
			return err_set(e, ERR_USAGE, "--filter '%.60s': want until=TIME", l->v[i]);
		r = timearg_parse("filter", until, before_ns, e);
	}
	return r;
}

/* Kept at once, too. */
static int set_limit(struct session *s, const char *text, struct err *e)
{
	struct store *store;
	uint64_t bytes;
	int r = opt_parse_bytes(text, &bytes);

	if (r < 0)
		return err_set(e, ERR_USAGE, "--limit '%.60s': want a size such as 20g", text);
	r = session_store(s, &store, e);
	if (r >= 0)
		r = buildcache_set_limit(store, bytes, e);
	return r < 0 ? r : buildprune_limit(store, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct build_prune_args *pa = args;
	struct buildprune_opts o = {.keep = pa->keep};
	struct store *store;
	uint64_t freed = 0;
	char size[16];
	int r = read_filter(&pa->filter, &o.before_ns, e);

	if (r >= 0 && pa->limit)
		return set_limit(s, pa->limit, e);
	if (r < 0)
		return r;
	r = confirm_ask(pa->force, "build prune",
			pa->keep ? "what builds keep for the next ones, the oldest first"
				 : "everything that builds keep for the next ones",
			e);

	if (r <= 0)
		return r;
	r = session_store(s, &store, e);
	if (r < 0)
		return r;
	r = buildprune_run(store, &o, &freed, e);
	if (r >= 0)
		printf("Total reclaimed space: %s\n", progress_size(freed, size));
	return r;
}

extern const struct cmd cmd_build_prune;
const struct cmd cmd_build_prune = {
    .name = "build prune",
    .aliases = (const char *const[]){"builder prune", NULL},
    .group = "images",
    .operands = "",
    .summary = "forget what earlier builds made",
    .opts = opts,
    .args_size = sizeof(struct build_prune_args),
    .run = run,
};
