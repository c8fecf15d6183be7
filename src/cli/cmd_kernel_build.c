/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/kernel_ctl.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

struct kernel_build_args {
	const char *source, *config, *name;
	int64_t jobs;
};

static const struct opt kernel_build_opts[] = {
    OPT(struct kernel_build_args, config, .name = "config", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "what to switch on over tinyconfig"),
    OPT(struct kernel_build_args, jobs, .name = "jobs", .letter = 'j', .type = OPT_INT, .arg = "N",
	.min = 0, .max = 1024, .help = "compilers at once; all processors by default"),
    OPT(struct kernel_build_args, name, .name = "name", .type = OPT_STR, .arg = "NAME",
	.help = "what it is called; its release by default"),
    OPT(struct kernel_build_args, source, .name = "source", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "tar archive; the newest /usr/src/linux-source-*.tar.xz"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kernel_build_args *ka = args;
	auto_arena struct arena a = ARENA_INIT;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct kernel_build b = {.source = ka->source,
				       .config = ka->config,
				       .name = ka->name,
				       .jobs = ka->jobs ? (int)ka->jobs : (int)cpus};
	const char *name;
	int r = kernel_ctl_build(s, &b, &a, &name, e);

	if (r < 0)
		return r;
	puts(name);
	return 0;
}

extern const struct cmd cmd_kernel_build;
const struct cmd cmd_kernel_build = {
    .name = "kernel build",
    .group = "kernels of machines",
    .operands = "",
    .summary = "make a small kernel for vms from the distribution's source",
    .opts = kernel_build_opts,
    .args_size = sizeof(struct kernel_build_args),
    .run = run,
};
