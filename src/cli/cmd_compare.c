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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPORT_MAX (64u << 20)

enum format { FORMAT_TABLE, FORMAT_MARKDOWN, FORMAT_JSON, FORMAT_CSV };
static const char *const format_names[] = {"table", "markdown", "json", "csv", NULL};

struct compare_args {
	int format; /* enum format */
	int64_t samples, max_time_ns, density_most, precision;
	uint64_t density_bytes;
	struct opt_list skip, only, with, claims;
	const char *html, *user, *from;
	bool show_workload, diff;
};

static const struct opt compare_opts[] = {
    OPT(struct compare_args, format, .name = "format", .type = OPT_ENUM, .arg = "FORMAT",
	.values = format_names, .preset = "table",
	.help = "form of the report; json has every sample"),
    OPT(struct compare_args, samples, .name = "samples", .letter = 'n', .type = OPT_INT, .arg = "N",
	.min = 1, .max = 10000, .preset = "30",
	.help = "at most so many rounds; each runs everything once, in random order"),
    OPT(struct compare_args, precision, .name = "precision", .type = OPT_INT, .arg = "PERCENT",
	.min = 0, .max = 100, .preset = "5",
	.help = "a subject is done when its intervals are that narrow, to either side"),
    OPT(struct compare_args, max_time_ns, .name = "max-time", .type = OPT_DURATION,
	.arg = "DURATION", .preset = "100s", .help = "of all; each part has its share"),
    OPT(struct compare_args, skip, .name = "skip", .type = OPT_LIST, .arg = "SUBJECT",
	.help = "leave out host, container, vm, rootless, vm-cold, pod or qemu"),
    OPT(struct compare_args, only, .name = "only", .type = OPT_LIST, .arg = "SUBJECT,...",
	.help = "leave out all others"),
    OPT(struct compare_args, with, .name = "with", .type = OPT_LIST, .arg = "ENGINE,...",
	.help = "other engines, by their own commands: docker, podman, crun"),
    OPT(struct compare_args, user, .name = "user", .type = OPT_STR, .arg = "NAME",
	.help = "as root: whose rootless containers are measured"),
    OPT(struct compare_args, density_bytes, .name = "density", .type = OPT_BYTES, .arg = "SIZE",
	.preset = "512m", .help = "memory that is filled with idle ones; 0: not at all"),
    OPT(struct compare_args, density_most, .name = "density-most", .type = OPT_INT, .arg = "N",
	.min = 0, .max = 10000, .preset = "32", .help = "and at most so many"),
    OPT(struct compare_args, html, .name = "html", .type = OPT_STR, .arg = "FILE",
	.help = "also write the report as a page that needs nothing else"),
    OPT(struct compare_args, claims, .name = "assert", .type = OPT_LIST, .arg = "CLAIM",
	.help = "exit 1 unless it holds, as 'container.first_output_p95 < 30ms'"),
    OPT(struct compare_args, diff, .name = "diff", .type = OPT_BOOL,
	.help = "compare two reports that --format json wrote; the operands are the files"),
    OPT(struct compare_args, from, .name = "from", .type = OPT_STR, .arg = "FILE",
	.help = "measure nothing: an earlier report of --format json, in another form"),
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

#define BAR 20

static void progress(const char *what, double share, void *arg)
{
	int full = share >= 1 ? BAR : (int)(share * BAR);

	fprintf(stderr, "\r\033[K[%.*s%.*s] %s", full, "####################", BAR - full,
		"                    ", what);
	fflush(stderr);
}

/* "a,b" or several times; each is a subject from `first` on. */
static int subjects(const struct opt_list *l, const char *option, unsigned int first, bool *out,
		    struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *at = l->v[i];

		while (*at) {
			size_t len = strcspn(at, ",");
			unsigned int s = first;

			while (s < REPORT_SUBJECT_MAX_ &&
			       (strlen(report_subject_names[s]) != len ||
				strncmp(report_subject_names[s], at, len) != 0))
				s++;
			if (s == REPORT_SUBJECT_MAX_)
				return err_set(e, ERR_USAGE, "%s: '%.*s' is none of %s", option,
					       (int)len, at,
					       first ? "docker, podman, crun"
						     : "host, container, vm, rootless, vm-cold, "
						       "pod, qemu");
			out[s] = true;
			at += len + (at[len] == ',');
		}
	}
	return 0;
}

static int chosen(const struct compare_args *o, struct compare_request *q, struct err *e)
{
	bool only[REPORT_SUBJECT_MAX_] = {0}, ours = false;
	int r = subjects(&o->skip, "--skip", 0, q->skip, e);

	if (r == 0)
		r = subjects(&o->only, "--only", 0, only, e);
	if (r == 0)
		r = subjects(&o->with, "--with", REPORT_DOCKER, q->with, e);
	for (int s = 0; r == 0 && s < REPORT_SUBJECT_MAX_; s++) {
		if (o->only.n && !only[s] && s < REPORT_DOCKER)
			q->skip[s] = true;
		if (s >= REPORT_DOCKER)
			q->with[s] |= only[s];
		ours |= !q->skip[s] && s > REPORT_HOST && s < REPORT_QEMU;
	}
	if (r == 0 && !ours)
		return err_set(e, ERR_USAGE, "neither container nor vm is left to compare");
	return r;
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

static int read_report(const char *option, const char *file, struct arena *a, struct report *out,
		       struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, file, REPORT_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "%s '%s'", option, file);
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
	r = read_report("--diff", argv[0], &arena, &a, e);
	if (r == 0)
		r = read_report("--diff", argv[1], &arena, &b, e);
	if (r < 0)
		return r;
	reportdiff_write(&a, &b, argv[0], argv[1], &out);
	return print(&out, e);
}

/* For the dashboard, and for `--from`: below the state directory. */
static int keep_last(const struct session *s, const struct report *r, struct err *e)
{
	auto_buf struct buf json = BUF_INIT(REPORT_MAX);
	auto_free char *dir = NULL;
	auto_free char *page = NULL;
	auto_fd int fd = -1;

	if (asprintf(&dir, "%s/compare", s->root) < 0 ||
	    asprintf(&page, "%s/compare/last.html", s->root) < 0)
		abort();
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s'", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "'%s'", dir);
	reportdata_json(r, &json);
	if (buf_fail(&json, "report", e) < 0)
		return -EFBIG;
	errno = -file_replace(fd, "last.json", json.p, json.len, 0600, FILE_LAZY);
	return errno ? err_sys(e, "'%s/last.json'", dir) : write_page(r, page, e);
}

static int measure(struct session *s, const struct compare_args *o, struct compare_request *q,
		   struct arena *a, struct report *out, struct err *e)
{
	int r = chosen(o, q, e);

	if (r == 0)
		r = compare_run(s, q, a, out, e);
	if (r == 0)
		r = keep_last(s, out, e);
	if (q->progress)
		fprintf(stderr, "\r\033[K");
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
	    .precision = (double)o->precision / 100,
	    .density_bytes = o->density_bytes,
	    .density_most = (uint64_t)o->density_most,
	    .user = o->user,
	    .progress = isatty(STDERR_FILENO) ? progress : NULL,
	};
	struct claims claims = {0};
	struct report report;
	int r;

	if (o->show_workload)
		return show_workload(s, e);
	if (o->diff)
		return diff(argc, argv, e);
	if (!argc && !o->from)
		return err_set(e, ERR_USAGE, "compare wants an image (see caisson compare --help)");
	if (argc && o->from)
		return err_set(e, ERR_USAGE, "--from measures nothing, so there is no image");
	q.image = argc ? argv[0] : NULL;
	for (int i = 1; i < argc; i++)
		if (i > 1 || !streq(argv[i], "--"))
			arena_strs_add(&a, &q.command, argv[i]);
	r = parse_claims(&o->claims, &a, &claims, e);
	if (r == 0)
		r = o->from ? read_report("--from", o->from, &a, &report, e)
			    : measure(s, o, &q, &a, &report, e);
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
    .operands = "IMAGE [-- COMMAND...] | --from A.json | --diff A.json B.json",
    .summary = "measure one workload as host process, container, VM and more",
    .opts = compare_opts,
    .args_size = sizeof(struct compare_args),
    .operands_min = 0,
    .operands_max = -1,
    .flags = CMD_RUNS | CMD_OUTSIDE,
    .run = run,
};
