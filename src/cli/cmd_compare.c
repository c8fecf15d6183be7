/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "compare/compare.h"
#include "engine/session.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct compare_args {
	int format; /* enum report_format */
	int64_t samples, max_time_ns;
	struct opt_list skip;
	bool show_workload;
};

static const struct opt compare_opts[] = {
    OPT(struct compare_args, format, .name = "format", .type = OPT_ENUM, .arg = "FORMAT",
	.values = report_format_names, .preset = "table",
	.help = "form of the report; json has every sample"),
    OPT(struct compare_args, samples, .name = "samples", .letter = 'n', .type = OPT_INT, .arg = "N",
	.min = 1, .max = 10000, .preset = "10",
	.help = "rounds that count; each runs everything once, in random order"),
    OPT(struct compare_args, max_time_ns, .name = "max-time", .type = OPT_DURATION,
	.arg = "DURATION", .preset = "60s", .help = "begin no further round after this time"),
    OPT(struct compare_args, skip, .name = "skip", .type = OPT_LIST, .arg = "SUBJECT",
	.help = "leave out host, container or vm"),
    OPT(struct compare_args, show_workload, .name = "show-workload", .type = OPT_BOOL,
	.help = "print the source of the measured workload and exit"),
    OPT_END,
};

static int show_workload(const struct session *s, struct err *e)
{
	auto_free char *text = NULL;
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/workload.c", s->data);
	n = file_read(AT_FDCWD, path, 1 << 20, &text);
	if (n >= 0)
		n = fd_write_all(STDOUT_FILENO, text, (size_t)n);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	return 0;
}

static void progress(uint64_t round, uint64_t of, void *arg)
{
	if (round == 0)
		fprintf(stderr, "\rwarming up");
	else
		fprintf(stderr, "\rround %" PRIu64 " of %" PRIu64, round, of);
	fflush(stderr);
}

static int skipped(const struct opt_list *l, struct compare_request *q, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		bool known = false;

		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			if (streq(report_subject_names[s], l->v[i]))
				known = q->skip[s] = true;
		if (!known)
			return err_set(e, ERR_USAGE, "--skip wants host, container or vm, not '%s'",
				       l->v[i]);
	}
	if (q->skip[REPORT_CONTAINER] && q->skip[REPORT_VM])
		return err_set(e, ERR_USAGE, "--skip leaves neither container nor vm");
	return 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct compare_args *o = args;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(16 << 20);
	struct compare_request q = {
	    .samples = (uint64_t)o->samples,
	    .max_time_ns = o->max_time_ns,
	    .progress = isatty(STDERR_FILENO) ? progress : NULL,
	};
	struct report report;
	int r;

	if (o->show_workload)
		return show_workload(s, e);
	if (!argc)
		return err_set(e, ERR_USAGE, "compare wants an image (see caisson compare --help)");
	q.image = argv[0];
	for (int i = 1; i < argc; i++)
		if (i > 1 || !streq(argv[i], "--"))
			arena_strs_add(&a, &q.command, argv[i]);
	r = skipped(&o->skip, &q, e);
	if (r == 0)
		r = compare_run(s, &q, &a, &report, e);
	if (q.progress)
		fprintf(stderr, "\r                    \r");
	if (r < 0)
		return r;
	report_write(&report, (enum report_format)o->format, &out);
	r = buf_fail(&out, "report", e);
	if (r == 0 && fd_write_all(STDOUT_FILENO, out.p, out.len) < 0)
		r = err_sys(e, "standard output");
	return r;
}

extern const struct cmd cmd_compare;
const struct cmd cmd_compare = {
    .name = "compare",
    .group = "system",
    .operands = "IMAGE [-- COMMAND...]",
    .summary = "measure one workload as host process, container and VM",
    .opts = compare_opts,
    .args_size = sizeof(struct compare_args),
    .operands_min = 0,
    .operands_max = -1,
    .flags = CMD_RUNS | CMD_OUTSIDE,
    .run = run,
};
