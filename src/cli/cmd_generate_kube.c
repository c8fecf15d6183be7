/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "fmt/yaml.h"
#include "kube/kubegen.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>

struct generate_kube_args {
	const char *file;
};

static const struct opt generate_kube_opts[] = {
    OPT(struct generate_kube_args, file, .name = "filename", .letter = 'f', .type = OPT_STR,
	.arg = "FILE", .complete = "file", .help = "write to a file that does not exist yet"),
    OPT_END,
};

static int to_file(const char *path, const struct buf *b, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	return fd < 0 || fd_write_all(fd, b->p, b->len) < 0 ? err_sys(e, "'%.200s'", path) : 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct generate_kube_args *g = args;
	auto_buf struct buf yaml = BUF_INIT(YAML_TEXT_MAX);
	auto_arena struct arena a = ARENA_INIT;
	struct kubegen_out out = {.yaml = &yaml};
	struct strs names = {0};
	int r;

	for (int i = 0; i < argc; i++)
		arena_strs_add(&a, &names, argv[i]);
	r = kubegen_write(s, &names, &a, &out, e);
	if (r == 0)
		r = buf_fail(&yaml, "file", e);
	if (r == 0 && g->file)
		r = to_file(g->file, &yaml, e);
	else if (r == 0)
		fputs(yaml.p, stdout);
	for (size_t i = 0; r == 0 && i < out.warnings.n; i++)
		fprintf(stderr, "caisson: warning: %s\n", out.warnings.v[i]);
	return r;
}

extern const struct cmd cmd_generate_kube;
const struct cmd cmd_generate_kube = {
    .name = "generate kube",
    .group = "pods",
    .operands = "NAME...",
    .summary = "print a Kubernetes file that makes pods or instances again",
    .opts = generate_kube_opts,
    .args_size = sizeof(struct generate_kube_args),
    .operands_min = 1,
    .operands_max = -1,
    .aliases = (const char *const[]){"kube generate", NULL},
    .run = run,
};
