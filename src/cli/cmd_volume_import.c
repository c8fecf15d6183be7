/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/volume_data.h"

#include <fcntl.h>
#include <unistd.h>

static const struct opt volume_import_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	bool standard = argc < 2 || streq(argv[1], "-");
	auto_fd int fd =
	    standard ? dup(STDIN_FILENO) : open(argv[1], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return err_sys(e, "'%s'", standard ? "standard input" : argv[1]);
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "import reads an archive, not a terminal");
	r = volume_data_import(s, argv[0], fd, e);
	return r < 0 ? err_wrap(e, r, "import") : 0;
}

extern const struct cmd cmd_volume_import;
const struct cmd cmd_volume_import = {
    .name = "volume import",
    .group = "volumes",
    .operands = "VOLUME [FILE|-]",
    .summary = "read a tar archive into a volume",
    .opts = volume_import_opts,
    .operands_min = 1,
    .operands_max = 2,
    .run = run,
};
