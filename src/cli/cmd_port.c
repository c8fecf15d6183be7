/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/lookup.h"

#include <stdio.h>
#include <string.h>

static const struct opt port_opts[] = {OPT_END};

static int none(const struct lookup *l, const char *port, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no public port '%s' published for %s", port, l->i.name);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *want = argc > 1 ? argv[1] : NULL;
	struct lookup l;
	bool any = false;
	int r = lookup_find(s, argv[0], &a, &l, e);

	if (r < 0)
		return r;
	if (want && !strchr(want, '/'))
		want = arena_printf(&a, "%s/tcp", want);
	for (size_t i = 0; l.state.pid && i < l.i.ports.n; i++) {
		/* "0.0.0.0:8080:80/tcp": the last part is the instance's. */
		const char *host = l.i.ports.v[i], *inner = strrchr(host, ':') + 1;
		int len = (int)(inner - host) - 1;

		if (want && !streq(want, inner))
			continue;
		any = true;
		if (want)
			printf("%.*s\n", len, host);
		else
			printf("%s -> %.*s\n", inner, len, host);
	}
	return want && !any ? none(&l, want, e) : 0;
}

extern const struct cmd cmd_port;
const struct cmd cmd_port = {
    .name = "port",
    .group = "instances",
    .operands = "INSTANCE [PORT[/PROTO]]",
    .summary = "list published ports, or where one is published",
    .opts = port_opts,
    .operands_min = 1,
    .operands_max = 2,
    .run = run,
};
