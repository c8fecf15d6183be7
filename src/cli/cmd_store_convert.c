/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/storeinfo.h"

#include <stdbool.h>
#include <stddef.h>

struct store_convert_args {
	int to;
	bool all, keep, verity;
};

enum { TO_SAME, TO_EROFS, TO_DIR };
static const char *const to_names[] = {"same", "erofs", "dir", NULL};

static const struct opt store_convert_opts[] = {
    OPT(struct store_convert_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "the layers of every image"),
    OPT(struct store_convert_args, keep, .name = "keep", .type = OPT_BOOL,
	.help = "keep the other form too"),
    OPT(struct store_convert_args, to, .name = "to", .type = OPT_ENUM, .values = to_names,
	.arg = "same|erofs|dir", .preset = "same",
	.help = "the form: an EROFS image, a directory, or what it is"),
    OPT(struct store_convert_args, verity, .name = "verity", .type = OPT_BOOL,
	.help = "let the kernel check every block of EROFS layers (fs-verity)"),
    OPT_END,
};

static void tell(const char *line, void *arg)
{
	each_print(line);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct store_convert_args *ca = args;
	struct storeinfo_convert o = {
	    .image = argc ? argv[0] : NULL,
	    .form = ca->to - 1,
	    .keep = ca->keep,
	    .verity = ca->verity,
	    .tell = tell,
	};

	if (ca->all == (argc > 0))
		return err_set(e, ERR_USAGE, "an image or --all is expected");
	if (ca->to == TO_SAME && !ca->verity)
		return err_set(e, ERR_USAGE, "--to or --verity is expected");
	return storeinfo_convert(s, &o, e);
}

extern const struct cmd cmd_store_convert;
const struct cmd cmd_store_convert = {
    .name = "store convert",
    .group = "system",
    .operands = "[IMAGE]",
    .summary = "keep layers in another form",
    .opts = store_convert_opts,
    .args_size = sizeof(struct store_convert_args),
    .operands_max = 1,
    .run = run,
};
