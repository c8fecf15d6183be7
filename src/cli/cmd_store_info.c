/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/template.h"
#include "engine/storeinfo.h"
#include "fmt/json.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <unistd.h>

struct store_info_args {
	const char *format;
	bool no_trunc;
};

static const char *const table_names[] = {"table", "json", NULL};

static const struct opt store_info_opts[] = {
    OPT(struct store_info_args, format, .name = "format", .type = OPT_STR, .arg = "table|json",
	.values = table_names, .preset = "table", .help = "a table, or one JSON object a line"),
    OPT(struct store_info_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "show whole digests"),
    OPT_END,
};

static void member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "\"%s\":", key);
	if (value)
		json_quote(out, value);
	else
		buf_puts(out, "null");
	buf_puts(out, ",");
}

static void object(const struct storeinfo_row *r, struct buf *out)
{
	buf_puts(out, "{");
	member(out, "Layer", r->layer);
	member(out, "Form", r->form);
	member(out, "Blob", r->blob);
	member(out, "Verity", r->verity);
	buf_printf(out,
		   "\"HaveBlob\":%s,\"Size\":%" PRIu64 ",\"TarSize\":%" PRIu64
		   ",\"BlobSize\":%" PRIu64 ",\"Entries\":%" PRIu64 ",\"Images\":%" PRIu64 "}\n",
		   r->have_blob ? "true" : "false", r->size, r->tar_size, r->blob_size, r->entries,
		   r->images);
}

static void line(const struct storeinfo_row *r, bool whole, struct buf *out)
{
	char size[16], blob[16];

	buf_printf(out, "%.*s\t%s\t%s\t%" PRIu64 "\t%s\t%s\t%" PRIu64 "\n", whole ? 64 : 12,
		   r->layer + 7, r->form ? r->form : "missing",
		   r->form ? progress_size(r->size, size) : "-", r->entries,
		   r->have_blob ? progress_size(r->blob_size, blob) : "missing",
		   r->verity ? "on" : "off", r->images);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct store_info_args *ia = args;
	auto_buf struct buf lines = BUF_INIT(64 << 20), out = BUF_INIT(64 << 20);
	auto_arena struct arena a = ARENA_INIT;
	bool json = streq(ia->format, "json");
	struct storeinfo info;
	int r;

	if (!json && !streq(ia->format, "table"))
		return err_set(e, ERR_USAGE, "--format wants table or json, not '%.60s'",
			       ia->format);
	r = storeinfo_list(s, argc ? argv[0] : NULL, &a, &info, e);
	if (r < 0)
		return r;
	if (!json)
		buf_puts(&lines, "LAYER\tFORM\tSIZE\tENTRIES\tBLOB\tVERITY\tIMAGES\n");
	for (size_t i = 0; i < info.n; i++) {
		if (json)
			object(&info.v[i], &out);
		else
			line(&info.v[i], ia->no_trunc, &lines);
	}
	if (!json) {
		template_align(&lines, &out);
		buf_printf(&out, "this host mounts layers as: %s\n", info.wanted);
	}
	r = buf_fail(&out, "list", e);
	if (r >= 0)
		fd_write_all(STDOUT_FILENO, out.p, out.len);
	return r;
}

extern const struct cmd cmd_store_info;
const struct cmd cmd_store_info = {
    .name = "store info",
    .group = "system",
    .operands = "[IMAGE]",
    .summary = "in which form each layer is kept",
    .opts = store_info_opts,
    .args_size = sizeof(struct store_info_args),
    .operands_max = 1,
    .run = run,
};
