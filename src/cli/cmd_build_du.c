/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/opt.h"
#include "build/buildprune.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/session.h"
#include "fmt/utf8.h"

#include <stdio.h>

struct build_du_args {
	char none;
};

static const struct opt opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct buildprune_list l;
	struct store *store;
	char size[16], mounts[16];
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = buildprune_look(store, &a, &l, e);
	if (r < 0)
		return r;
	printf("%-12s  %-6s  %8s  %s\n", "ID", "SHARED", "SIZE", "STEP");
	for (size_t i = 0; i < l.n; i++) {
		auto_buf struct buf step = BUF_INIT(1 << 20);

		utf8_visible(&step, l.v[i].entry.step ? l.v[i].entry.step : "");
		printf("%.12s  %-6s  %8s  %.46s\n", l.v[i].entry.key,
		       l.v[i].shared ? "true" : "false", progress_size(l.v[i].bytes, size), step.p);
	}
	printf("steps %s, cache directories %s\n", progress_size(l.bytes, size),
	       progress_size(l.mount_bytes, mounts));
	if (buildcache_limit(store))
		printf("limit %s\n", progress_size(buildcache_limit(store), size));
	return 0;
}

extern const struct cmd cmd_build_du;
const struct cmd cmd_build_du = {
    .name = "build du",
    .group = "images",
    .operands = "",
    .summary = "what earlier builds left for the next ones",
    .opts = opts,
    .args_size = sizeof(struct build_du_args),
    .run = run,
};
