/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "compare/compare.h"
#include "compare/reportclaim.h"
#include "compare/reportdata.h"
#include "compare/reportdiff.h"
#include "compare/reportpage.h"
#include "compare/reporttable.h"
#include "engine/session.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REPORT_MAX (64u << 20)

enum format { FORMAT_TABLE, FORMAT_MARKDOWN, FORMAT_JSON, FORMAT_CSV };
static const char *const format_names[] = {"table", "markdown", "json", "csv", NULL};

struct compare_args {
	int format; /* enum format */
	int64_t samples, max_time_ns;
	struct opt_list skip, claims;
	const char *html;
	bool show_workload, diff;
};

static const struct opt compare_opts[] = {
    OPT(struct compare_args, format, .name = "format", .type = OPT_ENUM, .arg = "FORMAT",
	.values = format_names, .preset = "table",
	.help = "form of the report; json has every sample"),
    OPT(struct compare_args, samples, .name = "samples", .letter = 'n', .type = OPT_INT, .arg = "N",
	.min = 1, .max = 10000, .preset = "10",
	.help = "rounds that count; each runs everything once, in random order"),
    OPT(struct compare_args, max_time_ns, .name = "max-time", .type = OPT_DURATION,
	.arg = "DURATION", .preset = "60s", .help = "begin no further round after this time"),
    OPT(struct compare_args, skip, .name = "skip", .type = OPT_LIST, .arg = "SUBJECT",
	.help = "leave out host, container or vm"),
    OPT(struct compare_args, html, .name = "html", .type = OPT_STR, .arg = "FILE",
	.help = "also write the report as a page that needs nothing else"),
    OPT(struct compare_args, claims, .name = "assert", .type = OPT_LIST, .arg = "CLAIM",
	.help = "exit 1 unless it holds, as 'container.first_output_p95 < 30ms'"),
    OPT(struct compare_args, diff, .name = "diff", .type = OPT_BOOL,
	.help = "compare two reports that --format json wrote; the operands are the files"),
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

static void write_report(const struct report *r, enum format format, struct buf *out)
{
	switch (format) {
	case FORMAT_TABLE:
		reporttable_write(r, out);
		return;
	case FORMAT_MARKDOWN:
		reporttable_markdown(r, out);
		return;
	case FORMAT_JSON:
		reportdata_json(r, out);
		return;
	case FORMAT_CSV:
		reportdata_csv(r, out);
		return;
	}
}

static int print(const struct buf *out, struct err *e)
{
	int r = buf_fail(out, "report", e);

	if (r == 0 && fd_write_all(STDOUT_FILENO, out->p, out->len) < 0)
		return err_sys(e, "standard output");
	return r;
}

static int write_page(const struct report *r, const char *file, struct err *e)
{
	auto_buf struct buf page = BUF_INIT(64 << 20);
	int ret;

	reportpage_write(r, &page);
	ret = buf_fail(&page, "page", e);
	if (ret < 0)
		return ret;
	errno = -file_replace_path(file, page.p, page.len, 0644, FILE_LAZY);
	return errno ? err_sys(e, "--html '%s'", file) : 0;
}

/* ---- claims ---- */

struct claims {
	struct reportclaim *v;
	size_t n;
};

static int parse_claims(const struct opt_list *l, struct arena *a, struct claims *out,
			struct err *e)
{
	int r = 0;

	out->v = arena_array(a, l->n + 1, sizeof(*out->v));
	for (; r == 0 && out->n < l->n; out->n++)
		r = reportclaim_parse(l->v[out->n], &out->v[out->n], e);
	return r;
}

/* How many do not hold; each is said. */
static int broken_claims(const struct claims *claims, const struct report *r)
{
	int broken = 0;

	for (size_t i = 0; i < claims->n; i++) {
		auto_buf struct buf why = BUF_INIT(4096);

		if (reportclaim_holds(&claims->v[i], r, &why))
			continue;
		fprintf(stderr, "caisson: %s\n", why.p);
		broken++;
	}
	return broken;
}

/* ---- two reports ---- */

static int read_report(const char *file, struct arena *a, struct report *out, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, file, REPORT_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "--diff '%s'", file);
	}
	return reportdata_read(text, (size_t)n, file, a, out, e);
}

static int diff(int argc, char **argv, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report a, b;
	int r;

	if (argc != 2)
		return err_set(e, ERR_USAGE, "--diff wants two files that --format json wrote");
	r = read_report(argv[0], &arena, &a, e);
	if (r == 0)
		r = read_report(argv[1], &arena, &b, e);
	if (r < 0)
		return r;
	reportdiff_write(&a, &b, argv[0], argv[1], &out);
	return print(&out, e);
}

static int measure(struct session *s, const struct compare_args *o, struct compare_request *q,
		   struct arena *a, struct report *out, struct err *e)
{
	int r = skipped(&o->skip, q, e);

	if (r == 0)
		r = compare_run(s, q, a, out, e);
	if (q->progress)
		fprintf(stderr, "\r                    \r");
	return r;
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
	struct claims claims = {0};
	struct report report;
	int r;

	if (o->show_workload)
		return show_workload(s, e);
	if (o->diff)
		return diff(argc, argv, e);
	if (!argc)
		return err_set(e, ERR_USAGE, "compare wants an image (see caisson compare --help)");
	q.image = argv[0];
	for (int i = 1; i < argc; i++)
		if (i > 1 || !streq(argv[i], "--"))
			arena_strs_add(&a, &q.command, argv[i]);
	r = parse_claims(&o->claims, &a, &claims, e);
	if (r == 0)
		r = measure(s, o, &q, &a, &report, e);
	if (r < 0)
		return r;
	write_report(&report, (enum format)o->format, &out);
	r = print(&out, e);
	if (r == 0 && o->html)
		r = write_page(&report, o->html, e);
	if (r < 0)
		return r;
	return broken_claims(&claims, &report) ? 1 : report.partial ? 128 + SIGINT : 0;
}

extern const struct cmd cmd_compare;
const struct cmd cmd_compare = {
    .name = "compare",
    .group = "system",
    .operands = "IMAGE [-- COMMAND...] | --diff A.json B.json",
    .summary = "measure one workload as host process, container and VM",
    .opts = compare_opts,
    .args_size = sizeof(struct compare_args),
    .operands_min = 0,
    .operands_max = -1,
    .flags = CMD_RUNS | CMD_OUTSIDE,
    .run = run,
};
