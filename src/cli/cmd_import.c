/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/image_import.h"
#include "engine/session.h"

#include <fcntl.h>
#include <stdio.h>

static const struct opt import_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	bool std = streq(argv[0], "-");
	auto_fd int fd = std ? dup(STDIN_FILENO) : open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	auto_arena struct arena a = ARENA_INIT;
	struct image_pulled done;
	struct store *store;
	int r;

	if (fd < 0)
		return err_sys(e, "'%s'", argv[0]);
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "import reads an archive, not a terminal");
	r = session_store(s, &store, e);
	if (r >= 0)
		r = image_import_run(store, fd, argv[0], argc > 1 ? argv[1] : NULL, &a, &done, e);
	if (r < 0)
		return r;
	printf("%s\n", done.id);
	return 0;
}

extern const struct cmd cmd_import;
const struct cmd cmd_import = {
    .name = "import",
    .group = "images",
    .operands = "TAR|- [NAME]",
    .summary = "make an image of one layer from a tar archive of a root directory",
    .opts = import_opts,
    .operands_min = 1,
    .operands_max = 2,
    .aliases = (const char *const[]){"image import", NULL},
    .run = run,
};
