/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_review.h"
#include "engine/image_sbom.h"
#include "engine/review_policy.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define POLICY_MAX (1u << 20)

enum { FORMAT_TABLE, FORMAT_JSON };
enum { SBOM_NONE, SBOM_SPDX, SBOM_CYCLONEDX };

struct review_args {
	int format, sbom;
	const char *policy;
	bool files;
};

static const char *const formats[] = {"table", "json", NULL};
static const char *const sboms[] = {"none", "spdx", "cyclonedx", NULL};

static const struct opt review_opts[] = {
    OPT(struct review_args, files, .name = "files", .type = OPT_BOOL,
	.help = "list every file with the layer it comes from"),
    OPT(struct review_args, format, .name = "format", .type = OPT_ENUM, .arg = "table|json",
	.values = formats, .preset = "table", .help = "how the review is printed"),
    OPT(struct review_args, policy, .name = "policy", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "print only the rules of FILE that are broken; 1 if any is"),
    OPT(struct review_args, sbom, .name = "sbom", .type = OPT_ENUM, .arg = "none|spdx|cyclonedx",
	.values = sboms, .preset = "none", .help = "print the packages as a bill of materials"),
    OPT_END,
};

/* The image's text on a terminal: what is no character of a line is shown as '?'. */
static void text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		char c = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;

		buf_add(out, &c, 1);
	}
}

static void line(struct buf *out, const char *head, const char *s)
{
	buf_puts(out, head);
	text(out, s);
	buf_puts(out, "\n");
}

static void list(struct buf *out, const char *head, const struct strs *l)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", l->v[i]);
	line(out, head, l->n ? b.p : "-");
}

static void head(const struct image_review *v, struct buf *out)
{
	const struct oci_process *p = &v->config->config;
	static const char *const who[] = {" (account not found)", "", " (root)"};

	line(out, "Image:       ", v->name);
	line(out, "Id:          ", v->id);
	line(out, "Platform:    ", v->platform);
	if (v->found.os_name)
		line(out, "System:      ", v->found.os_name);
	buf_puts(out, "User:        ");
	text(out, p->user && *p->user ? p->user : "0");
	line(out, "", who[image_review_root(v) + 1]);
	list(out, "Entrypoint:  ", &p->entrypoint);
	list(out, "Command:     ", &p->cmd);
	list(out, "Ports:       ", &p->exposed_ports);
	list(out, "Volumes:     ", &p->volumes);
}

static void layers(const struct image_review *v, struct buf *out)
{
	char size[16], wasted[16];

	buf_printf(out,
		   "Size:        %s in files, of which %s are hidden by later layers\n\nLayers:\n",
		   progress_size(v->bytes, size), progress_size(v->wasted, wasted));
	for (size_t i = 0; i < v->found.layers.n; i++) {
		const struct review_layer *l = &v->found.layers.v[i];
		auto_arena struct arena a = ARENA_INIT;

		line(out,
		     arena_printf(&a, "  %3zu  %8s  hidden %8s  %7llu files  ", i + 1,
				  progress_size(l->bytes, size), progress_size(l->wasted, wasted),
				  (unsigned long long)l->files),
		     l->created_by ? l->created_by : "-");
	}
}

static void history(const struct image_review *v, struct buf *out)
{
	const struct oci_histories *h = &v->config->history;

	buf_puts(out, h->n ? "\nHistory:\n" : "");
	for (size_t i = 0; i < h->n; i++)
		line(out, "  ", h->v[i].created_by ? h->v[i].created_by : "-");
}

static void findings(const struct image_review *v, struct buf *out)
{
	buf_printf(out, "\nFindings: %zu%s\n", v->found.findings.n,
		   v->found.cut ? " (there are more)" : "");
	for (size_t i = 0; i < v->found.findings.n; i++) {
		const struct review_finding *f = &v->found.findings.v[i];

		buf_printf(out, "  %-14s ", review_kinds[f->kind]);
		if (f->layer)
			buf_printf(out, "layer %-3u ", f->layer);
		buf_puts(out, f->hidden ? "hidden: " : "");
		text(out, f->path);
		line(out, "  ", f->detail ? f->detail : "");
	}
}

static void packages(const struct image_review *v, struct buf *out)
{
	buf_printf(out, "\nPackages: %zu\n", v->found.packages.n);
	for (size_t i = 0; i < v->found.packages.n; i++) {
		const struct review_package *p = &v->found.packages.v[i];

		buf_printf(out, "  %-5s %-40s %-30s %s\n", p->type, p->name,
			   p->version ? p->version : "-", p->license ? p->license : "");
	}
	for (size_t i = 0; i < v->found.not_read.n; i++)
		line(out, "  not read: ", v->found.not_read.v[i]);
}

static void files(const struct image_review *v, struct buf *out)
{
	buf_puts(out, v->found.files.n ? "\nFiles:\n" : "");
	for (size_t i = 0; i < v->found.files.n; i++) {
		const struct review_file *f = &v->found.files.v[i];

		buf_printf(out, "  layer %-3u %04o %6u:%-6u %12llu  ", f->layer, f->mode, f->uid,
			   f->gid, (unsigned long long)f->size);
		line(out, "", f->path);
	}
}

static void table(const struct image_review *v, struct buf *out)
{
	head(v, out);
	layers(v, out);
	history(v, out);
	findings(v, out);
	packages(v, out);
	files(v, out);
}

static int put(const struct buf *out, struct err *e)
{
	int r = buf_fail(out, "output", e);

	if (r < 0)
		return r;
	errno = -fd_write_all(STDOUT_FILENO, out->p, out->len);
	return errno ? err_sys(e, "cannot write") : 0;
}

static int policy(const char *file, const struct image_review *v, struct arena *a, struct buf *out,
		  struct err *e)
{
	auto_free char *text = NULL;
	struct strs broken = {0};
	ssize_t n = file_read(AT_FDCWD, file, POLICY_MAX, &text);
	int r;

	errno = n < 0 ? (int)-n : 0;
	if (n < 0)
		return err_sys(e, "policy '%s'", file);
	r = review_policy_check(text, (size_t)n, v, a, &broken, e);
	for (size_t i = 0; r >= 0 && i < broken.n; i++)
		line(out, "", broken.v[i]);
	return r < 0 ? r : broken.n > 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct review_args *ra = args;
	auto_arena struct arena a = ARENA_INIT;
	auto_review struct image_review v = {0};
	auto_buf struct buf out = BUF_INIT(512u << 20);
	int r = image_review_run(s, argv[0], ra->files, &a, &v, e), code = 0, w;

	if (r < 0)
		return r;
	if (ra->sbom == SBOM_SPDX)
		image_sbom_spdx(&v, &out);
	else if (ra->sbom == SBOM_CYCLONEDX)
		image_sbom_cyclonedx(&v, &out);
	else if (ra->format == FORMAT_JSON && !ra->policy) {
		image_review_json(&v, &out);
		buf_puts(&out, "\n");
	} else if (!ra->policy)
		table(&v, &out);
	if (ra->policy)
		code = policy(ra->policy, &v, &a, &out, e);
	w = code < 0 ? code : put(&out, e);
	return w < 0 ? w : code;
}

extern const struct cmd cmd_image_review;
const struct cmd cmd_image_review = {
    .name = "image review",
    .group = "images",
    .operands = "IMAGE",
    .summary = "show what an image brings, before it runs",
    .opts = review_opts,
    .args_size = sizeof(struct review_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
