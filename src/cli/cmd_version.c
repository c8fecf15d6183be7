/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "engine/dockerinfo.h"
#include "engine/members.h"
#include "fmt/json.h"

#include <stdio.h>
#include <sys/utsname.h>

struct version_args {
	const char *format;
};

static const struct opt version_opts[] = {
    OPT(struct version_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "json|TEMPLATE", .help = "a template holds what docker's does: Client, Server"),
    OPT_END,
};

static int formatted(const char *format, struct err *e)
{
	auto_buf struct buf doc = BUF_INIT(1 << 16), out = BUF_INIT(1 << 20);
	auto_json struct json *j = NULL;
	struct members w = {.b = &doc};
	int r;

	buf_puts(&doc, "{");
	members_open(&w, "Client");
	dockerinfo_client(&w);
	members_close(&w);
	members_open(&w, "Server");
	dockerinfo_version(&w);
	members_close(&w);
	buf_puts(&doc, "}");
	if (streq(format, "json")) {
		puts(doc.p);
		return 0;
	}
	r = json_parse(doc.p, doc.len, "version", &j, e);
	if (r == 0)
		r = template_print(format, j, &out, e);
	if (r == 0)
		puts(out.p ? out.p : "");
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct version_args *a = args;
	struct utsname u;

	if (a->format)
		return formatted(a->format, e);
	if (uname(&u) < 0)
		return 1;
	printf("caisson version %s\nkernel  %s %s\nmachine %s\n", CAISSON_VERSION, u.sysname,
	       u.release, u.machine);
	return 0;
}

extern const struct cmd cmd_version;
const struct cmd cmd_version = {
    .name = "version",
    .group = "system",
    .operands = "",
    .summary = "print the version of caisson and of the host's kernel",
    .opts = version_opts,
    .args_size = sizeof(struct version_args),
    .flags = CMD_OUTSIDE,
    .run = run,
};
