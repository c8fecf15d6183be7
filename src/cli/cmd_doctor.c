/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/doctor.h"
#include "fmt/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct doctor_args {
	int format;
	bool strict;
};

static const char *const formats[] = {"text", "json", NULL};
enum { TEXT };

static const struct opt doctor_opts[] = {
    OPT(struct doctor_args, format, .name = "format", .type = OPT_ENUM, .arg = "FORMAT",
	.values = formats, .help = "how to print it"),
    OPT(struct doctor_args, strict, .name = "strict", .type = OPT_BOOL,
	.help = "exit with 1 when something is weak"),
    OPT_END,
};

/* Paths are the user's, and may be anything. */
static void put(const char *s)
{
	auto_buf struct buf b = BUF_INIT(64 << 10);

	utf8_visible(&b, s);
	printf("%s", b.p ? b.p : "");
}

static void print_finding(const struct doctor_finding *f)
{
	printf("  %-6s  ", doctor_levels[f->level]);
	put(f->what);
	printf("\n          -> ");
	put(f->remedy);
	printf("\n");
}

static void print_text(const struct doctor_report *r)
{
	const char *about = NULL;

	for (size_t i = 0; i < r->findings.n; i++) {
		const struct doctor_finding *f = &r->findings.v[i];

		if (!about || !streq(about, f->about))
			printf("%s%s:\n", about ? "\n" : "", f->about);
		about = f->about;
		print_finding(f);
	}
	printf("%s%" PRId64 " instances, %" PRId64 " weak, %" PRId64 " could be stronger\n",
	       about ? "\n" : "", r->instances, r->weak, r->advice);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct doctor_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(16 << 20);
	struct doctor_report report;
	int r = doctor_examine(s, &arena, &report, e);

	if (r == 0 && a->format != TEXT) {
		jbind_write(&doctor_table, &report, &out);
		r = buf_fail(&out, "report", e);
		if (r == 0)
			printf("%s\n", out.p);
	} else if (r == 0) {
		print_text(&report);
	}
	return r < 0 ? r : a->strict && report.weak > 0;
}

extern const struct cmd cmd_doctor;
const struct cmd cmd_doctor = {
    .name = "doctor",
    .group = "system",
    .operands = "",
    .summary = "show how strong the walls are, and what would make them stronger",
    .opts = doctor_opts,
    .args_size = sizeof(struct doctor_args),
    .run = run,
};
