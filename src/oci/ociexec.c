/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ociexec.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "oci/ocicreate.h"
#include "oci/ocistate.h"
#include "oci/ocitty.h"
#include "oci/ocivm.h"
#include "runtime/cgroup.h"
#include "runtime/launch.h"
#include "spec/plan.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define PROCESS_MAX (1u << 20)

struct args {
	const char *console_socket, *pidfd_socket, *cwd, *user, *process, *pid_file, *label,
	    *apparmor;
	struct opt_list env, gids, caps, cgroups;
	int64_t preserve_fds;
	bool tty, detach, no_new_privs, ignore_paused, no_subreaper;
};

const struct opt ociexec_opts[] = {
    OPT(struct args, console_socket, .name = "console-socket", .type = OPT_STR, .arg = "PATH",
	.help = "unix socket that gets the terminal's master"),
    OPT(struct args, pidfd_socket, .name = "pidfd-socket", .type = OPT_STR, .arg = "PATH",
	.help = "unix socket that gets a pidfd of the process"),
    OPT(struct args, cwd, .name = "cwd", .type = OPT_STR, .arg = "DIR",
	.help = "working directory"),
    OPT(struct args, env, .name = "env", .letter = 'e', .type = OPT_LIST, .arg = "NAME=VALUE",
	.help = "add to the environment"),
    OPT(struct args, tty, .name = "tty", .letter = 't', .type = OPT_BOOL,
	.help = "allocate a terminal"),
    OPT(struct args, user, .name = "user", .letter = 'u', .type = OPT_STR, .arg = "UID[:GID]",
	.help = "who the process runs as"),
    OPT(struct args, gids, .name = "additional-gids", .letter = 'g', .type = OPT_LIST, .arg = "GID",
	.help = "add a supplementary group"),
    OPT(struct args, process, .name = "process", .letter = 'p', .type = OPT_STR, .arg = "FILE",
	.help = "read the process from a JSON file"),
    OPT(struct args, detach, .name = "detach", .letter = 'd', .type = OPT_BOOL,
	.help = "do not wait for the process"),
    OPT(struct args, pid_file, .name = "pid-file", .type = OPT_STR, .arg = "FILE",
	.help = "write the process id there"),
    OPT(struct args, label, .name = "process-label", .type = OPT_STR, .arg = "LABEL",
	.help = "SELinux label"),
    OPT(struct args, apparmor, .name = "apparmor", .type = OPT_STR, .arg = "PROFILE",
	.help = "AppArmor profile"),
    OPT(struct args, no_new_privs, .name = "no-new-privs", .type = OPT_BOOL,
	.help = "set no_new_privs"),
    OPT(struct args, caps, .name = "cap", .letter = 'c', .type = OPT_LIST, .arg = "CAP",
	.help = "add a capability"),
    OPT(struct args, preserve_fds, .name = "preserve-fds", .type = OPT_INT, .arg = "N", .min = 0,
	.max = 4096, .help = "pass this many descriptors after stdio and LISTEN_FDS"),
    OPT(struct args, cgroups, .name = "cgroup", .type = OPT_LIST, .arg = "[CTRL,...:]SUB",
	.help = "run in a sub-cgroup of the instance's; may be repeated for other controllers"),
    OPT(struct args, ignore_paused, .name = "ignore-paused", .type = OPT_BOOL,
	.help = "also when the instance is paused"),
    OPT(struct args, no_subreaper, .name = "no-subreaper", .type = OPT_BOOL,
	.help = "accepted; the process is waited for by its pid"),
    OPT_END,
};

static int number(const char *s, const char **end, uint32_t *out)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v >= UINT32_MAX) /* also the id that is nobody's */
			return -EINVAL;
	}
	*out = (uint32_t)v;
	*end = s;
	return 0;
}

int ociexec_user(const char *text, struct plan_user *u)
{
	uint32_t uid, gid = 0;
	const char *end;

	if (number(text, &end, &uid) < 0)
		return -EINVAL;
	if (*end == ':' && number(end + 1, &end, &gid) < 0)
		return -EINVAL;
	if (*end)
		return -EINVAL;
	u->uid = uid;
	u->gid = gid;
	return 0;
}

static int from_file(const char *path, struct plan_process *p, struct arena *a, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	ssize_t n = fd < 0 ? -errno : fd_slurp(fd, PROCESS_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "process file '%s'", path);
	}
	*p = (struct plan_process){0};
	return jbind_parse(&plan_process_table, text, (size_t)n, p, a, "process.json", e);
}

static void add_caps(struct plan_process *p, const struct opt_list *l, struct arena *a)
{
	struct plan_caps *c = arena_alloc(a, sizeof(*c));
	/* Never the inheritable set (CVE-2022-29162). */
	struct strs *sets[] = {&c->bounding, &c->effective, &c->permitted, &c->ambient};

	if (p->capabilities)
		*c = *p->capabilities;
	/* Ambient ones only where the bundle gave an inheritable set: what that lacks, capset_apply
	 * leaves out. */
	for (size_t s = 0; s < (c->inheritable.n ? 4 : 3); s++) {
		struct strs copy = {0};

		for (size_t i = 0; i < sets[s]->n; i++)
			arena_strs_add(a, &copy, sets[s]->v[i]);
		for (size_t i = 0; i < l->n; i++)
			arena_strs_add(a, &copy, l->v[i]);
		*sets[s] = copy;
	}
	p->capabilities = c;
}

/* The instance's process as the template, changed by the options. */
static int from_options(const struct args *x, int argc, char **argv, struct plan_process *p,
			struct arena *a, struct err *e)
{
	struct strs args = {0}, env = {0};

	for (int i = 0; i < argc; i++)
		arena_strs_add(a, &args, argv[i]);
	for (size_t i = 0; i < p->env.n; i++)
		arena_strs_add(a, &env, p->env.v[i]);
	for (size_t i = 0; i < x->env.n; i++)
		arena_strs_add(a, &env, x->env.v[i]);
	p->args = args;
	p->env = env;
	p->terminal = x->tty;
	if (x->cwd)
		p->cwd = x->cwd;
	if (x->apparmor)
		p->apparmor_profile = x->apparmor;
	if (x->label)
		p->selinux_label = x->label;
	if (x->no_new_privs)
		p->no_new_privileges = true;
	if (x->caps.n)
		add_caps(p, &x->caps, a);
	if (x->user && ociexec_user(x->user, &p->user) < 0)
		return err_set(e, ERR_USAGE, "--user wants UID or UID:GID in numbers, not '%s'",
			       x->user);
	if (x->gids.n) {
		struct jbind_nums gids = {.v = arena_array(a, x->gids.n, sizeof(int64_t))};

		for (size_t i = 0; i < x->gids.n; i++) {
			const char *end;
			uint32_t gid;

			if (number(x->gids.v[i], &end, &gid) < 0 || *end)
				return err_set(e, ERR_USAGE,
					       "--additional-gids wants numbers, not '%s'",
					       x->gids.v[i]);
			gids.v[gids.n++] = gid;
		}
		p->user.additional_gids = gids;
	}
	return 0;
}

static int check_status(int dir, const struct ocistate *s, bool ignore_paused, struct err *e)
{
	switch (ocistate_now(dir, s)) {
	case OCISTATE_STOPPED:
		return err_set(e, ERR_CONFLICT,
			       "cannot exec in a stopped container: container not "
			       "running");
	case OCISTATE_PAUSED:
		if (!ignore_paused)
			return err_set(e, ERR_CONFLICT,
				       "cannot exec in a paused container (use --ignore-paused to "
				       "override)");
		return 0;
	case OCISTATE_CREATED:
	case OCISTATE_RUNNING:
		return 0;
	}
	return 0;
}

static int start(const struct ocicmd_globals *g, const struct args *x, const struct plan *plan,
		 int dir, const struct ocistate *s, const struct plan_process *p, struct launch *l,
		 struct err *e)
{
	struct launch_opts o = LAUNCH_OPTS_INIT;
	char cache[4096];
	struct strs subs = {.v = x->cgroups.v, .n = x->cgroups.n};
	int r;

	snprintf(cache, sizeof(cache), "%s/.seccomp", g->root);
	o.bundle = s->bundle;
	o.id = s->id;
	o.seccomp_cache = cache;
	o.preserve_fds = (int)x->preserve_fds + g->listen_fds;
	o.cgroup_subs = subs.n ? &subs : NULL;
	o.cgroup_saved = s->cgroup;
	o.flags = s->systemd_cgroup ? LAUNCH_SYSTEMD_CGROUP : 0;
	if (!x->console_socket)
		o.flags |= LAUNCH_PLAIN_NEWLINE;
	r = s->vm ? ocivm_exec(dir, p, &o, l, e) : launch_exec(plan, (pid_t)s->pid, p, &o, l, e);
	if (r < 0)
		return err_wrap(e, r, "exec failed: unable to start container process");
	if (x->console_socket)
		r = ocitty_send(x->console_socket, l->console, e);
	if (r == 0 && x->pidfd_socket)
		r = ocitty_send(x->pidfd_socket, l->pidfd, e);
	if (r == 0 && x->pid_file)
		r = ocicreate_pid_file(x->pid_file, l->pid, e);
	if (r < 0)
		kill(l->pid, SIGKILL);
	return r;
}

static int run(const struct ocicmd_globals *g, struct args *x, int argc, char **argv, struct err *e)
{
	auto_fd int root_fd = -1, dir = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct launch l = LAUNCH_INIT;
	struct plan_process p;
	struct plan *plan = NULL;
	struct ocistate s;
	int r;

	if (!argc)
		return err_set(e, ERR_USAGE, "\"exec\" requires a container id");
	if (argc < 2 && !x->process)
		return err_set(e, ERR_USAGE, "process args cannot be empty");
	r = ocicreate_check_fds((int)x->preserve_fds, e);
	if (r < 0)
		return r;
	root_fd = ocistate_open_root(g->root, false, e);
	if (root_fd < 0)
		return root_fd;
	r = ocistate_load(root_fd, argv[0], &dir, &s, &a, e);
	if (r == 0)
		r = check_status(dir, &s, x->ignore_paused, e);
	if (r == 0)
		r = ocistate_plan(dir, &a, &plan, e);
	if (r < 0)
		return r;
	plan->caisson = NULL;
	p = *plan->process;
	r = x->process ? from_file(x->process, &p, &a, e)
		       : from_options(x, argc - 1, argv + 1, &p, &a, e);
	if (r < 0)
		return r;
	if (x->process && x->tty)
		p.terminal = true;
	if (x->detach && p.terminal && !x->console_socket)
		return err_set(e, ERR_USAGE,
			       "cannot allocate tty if runc will detach without "
			       "setting console socket");
	if (!x->detach)
		ocitty_block_signals();
	r = start(g, x, plan, dir, &s, &p, &l, e);
	if (r == 0 && !x->detach)
		r = ocitty_wait(&l, e);
	launch_done(&l);
	return r;
}

int ociexec_exec(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	struct args x = {0};
	int i = opt_parse(ociexec_opts, argc, argv, OPT_FIRST, &x, e), r = i;

	if (i >= 0)
		r = run(g, &x, argc - i, argv + i, e);
	opt_done(ociexec_opts, &x);
	return r;
}
