/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "engine/dockerinfo.h"
#include "engine/info.h"
#include "engine/members.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdio.h>

struct info_args {
	const char *format;
};

static const struct opt info_opts[] = {
    OPT(struct info_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "text|json|TEMPLATE", .preset = "text",
	.help = "a template holds what json prints: our own members and docker's"),
    OPT_END,
};

static const char *or_none(const char *s)
{
	return s ? s : "none";
}

static void print_list(const char *label, const struct strs *l)
{
	printf("%s", label);
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s", i ? ", " : "", l->v[i]);
	printf("%s\n", l->n ? "" : "none");
}

static void print_isolations(const struct info *i)
{
	printf("isolation container: %s%s%s\n", i->container.usable ? "ready" : "not usable",
	       i->container.why ? ": " : "", i->container.why ? i->container.why : "");
	printf("isolation vm:        %s%s%s\n", i->vm.usable ? "ready" : "not usable",
	       i->vm.why ? ": " : "", i->vm.why ? i->vm.why : "");
	printf("  accelerator:       %s\n", or_none(i->vm.accel));
	if (i->vm.accel_why)
		printf("  because:           %s\n", i->vm.accel_why);
	printf("  hypervisor:        %s\n", or_none(i->vm.hypervisor));
	printf("  guest kernel:      %s\n", or_none(i->vm.kernel));
}

static void print_text(const struct info *i)
{
	printf("version:             %s\n", i->version);
	printf("root:                %s\n", i->root);
	printf("run root:            %s\n", i->run_root);
	printf("images:              %" PRId64 "\n", i->images);
	printf("instances:           %" PRId64 " running, %" PRId64 " paused, %" PRId64
	       " stopped\n",
	       i->instances.running, i->instances.paused, i->instances.stopped);
	print_isolations(i);
	if (i->rootless)
		printf("ordinary user:       %" PRIu64 " ids, network by %s, limits: %s\n",
		       i->rootless->ids, or_none(i->rootless->outside),
		       i->rootless->limits && *i->rootless->limits ? i->rootless->limits : "none");
	printf("layers kept as:      %s\n", or_none(i->layer_form));
	printf("writable roots by:   %s\n", or_none(i->root_driver));
	printf("bridge networks:     %s\n", i->nftables ? "nftables" : "no");
	print_list("kernel's walls:      ", &i->security);
	printf("cgroup:              %s\n", or_none(i->cgroup));
	printf("kernel:              %s\n", or_none(i->kernel));
	printf("operating system:    %s\n", or_none(i->os));
	printf("machine:             %s, %" PRId64 " CPUs, %" PRIu64 " MiB\n", or_none(i->machine),
	       i->cpus, i->memory_bytes >> 20);
	for (size_t k = 0; k < i->warnings.n; k++)
		printf("warning:             %s\n", i->warnings.v[k]);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct info_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);
	auto_json struct json *j = NULL;
	struct members w = {.b = &out, .comma = true};
	struct info i = {0};
	int r = info_gather(s, &arena, &i, e);

	if (r < 0)
		return r;
	if (streq(a->format, "text")) {
		print_text(&i);
		return 0;
	}
	/* Ours begin with a small letter, docker's with a large one: one object has both. */
	jbind_write(&info_table, &i, &out);
	out.len -= out.len && out.p[out.len - 1] == '}';
	dockerinfo_info(&w, &i, &arena);
	buf_puts(&out, "}");
	if (streq(a->format, "json")) {
		puts(out.p);
		return 0;
	}
	r = json_parse(out.p, out.len, "info", &j, e);
	if (r == 0)
		r = template_print(a->format, j, &text, e);
	if (r == 0)
		puts(text.p ? text.p : "");
	return r;
}

extern const struct cmd cmd_info;
const struct cmd cmd_info = {
    .name = "info",
    .group = "system",
    .operands = "",
    .summary = "show what this installation can do on this host",
    .opts = info_opts,
    .args_size = sizeof(struct info_args),
    .aliases = (const char *const[]){"system info", NULL},
    .run = run,
};
