/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/pretty.h"
#include "engine/describe.h"
#include "engine/image_ctl.h"
#include "engine/lookup.h"
#include "engine/network_ctl.h"
#include "engine/usage.h"
#include "engine/volume_ctl.h"
#include "sys/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum kind { CONTAINER, IMAGE, NETWORK, VOLUME, ANY };
static const char *const kinds[] = {"container", "image", "network", "volume", NULL};

struct inspect_args {
	const char *format, *type;
	bool size;
};

static const struct opt inspect_opts[] = {
    OPT(struct inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT(struct inspect_args, size, .name = "size", .letter = 's', .type = OPT_BOOL,
	.help = "also SizeRw and SizeRootFs, of instances"),
    OPT(struct inspect_args, type, .name = "type", .type = OPT_STR,
	.arg = "container|image|network|volume", .help = "only what is one of these"),
    OPT_END,
};

static int instance(struct session *s, const char *what, bool size, struct buf *text, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	uint64_t own = 0, image = 0;
	struct lookup l;
	int r = lookup_find(s, what, &a, &l, e);

	if (r == 0)
		r = describe_inspect(s, &l, text, e);
	if (r < 0 || !size)
		return r;
	usage_of_instance(s, &l.i, &own, &image);
	/* The object is ours and ends with a brace. */
	text->len--;
	buf_printf(text, ",\"SizeRw\":%" PRIu64 ",\"SizeRootFs\":%" PRIu64 "}", own, own + image);
	return 0;
}

static int network(struct session *s, const char *what, struct buf *text, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct network n;
	int r = network_ctl_find(s, what, &a, &n, e);

	return r < 0 ? r : network_ctl_inspect(s, &n, text, e);
}

static int describe(struct session *s, enum kind k, const char *what, bool size, struct buf *text,
		    struct err *e)
{
	return k == CONTAINER ? instance(s, what, size, text, e)
	       : k == IMAGE   ? image_ctl_inspect(s, what, text, e)
	       : k == NETWORK ? network(s, what, text, e)
			      : volume_ctl_inspect(s, what, text, e);
}

static int kind_of(const char *type, enum kind *k, struct err *e)
{
	*k = ANY;
	if (!type)
		return 0;
	for (*k = CONTAINER; *k < ANY; (*k)++)
		if (streq(kinds[*k], type))
			return 0;
	return err_set(e, ERR_USAGE,
		       "--type wants container, image, network or volume, not '%.40s'", type);
}

/* Without a type as docker: what there is of that name, in this order. */
static int one(struct session *s, const char *what, const struct inspect_args *a, enum kind only,
	       struct buf *text, struct err *e)
{
	struct err why = ERR_INIT;
	int r = describe(s, only == ANY ? CONTAINER : only, what, a->size, text, e);

	for (int k = IMAGE; only == ANY && r < 0 && e->kind == ERR_NOT_FOUND && k < ANY; k++) {
		text->len = 0;
		if (describe(s, (enum kind)k, what, false, text, &why) == 0)
			r = 0;
	}
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct inspect_args *a = args;
	auto_buf struct buf out = BUF_INIT(256 << 20);
	int failed = 0, shown = 0;
	enum kind only;

	if (kind_of(a->type, &only, e) < 0)
		return -EINVAL;
	for (int i = 0; i < argc; i++) {
		auto_buf struct buf text = BUF_INIT(64 << 20);
		struct err why = ERR_INIT;
		int r = one(s, argv[i], a, only, &text, &why);

		if (r >= 0)
			r = pretty_one(&text, a->format, !shown, &out, &why);
		if (r < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			shown++;
		}
	}
	if (!a->format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : failed;
}

extern const struct cmd cmd_inspect;
const struct cmd cmd_inspect = {
    .name = "inspect",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "everything that is known about instances, as JSON",
    .opts = inspect_opts,
    .args_size = sizeof(struct inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};
