/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/instance_args.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/emulated.h"
#include "engine/netspec.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/keyfile.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_FILE_MAX (1u << 20)

/* "KEY=VALUE", or the caller's own KEY; a KEY that the caller has not is left out, as in docker. */
static void add_env(const char *said, const struct session *s, struct arena *a, struct strs *out)
{
	size_t n = strlen(said);

	if (strchr(said, '=')) {
		arena_strs_add(a, out, said);
		return;
	}
	for (char **v = s->environment; *v; v++)
		if (strncmp(*v, said, n) == 0 && (*v)[n] == '=')
			arena_strs_add(a, out, *v);
}

static int key_file(const char *option, const char *path, struct arena *a, struct strs *out,
		    struct err *e)
{
	auto_free char *text = NULL;
	ssize_t len = file_read(AT_FDCWD, path, KEY_FILE_MAX, &text);

	if (len < 0) {
		errno = (int)-len;
		return err_sys(e, "--%s '%s'", option, path);
	}
	return keyfile_parse(text, (size_t)len, arena_printf(a, "--%s '%s'", option, path), a, out,
			     e);
}

static int env_file(const char *path, const struct session *s, struct arena *a, struct strs *out,
		    struct err *e)
{
	struct strs l = {0};
	int r = key_file("env-file", path, a, &l, e);

	for (size_t i = 0; i < l.n; i++)
		add_env(l.v[i], s, a, out);
	return r;
}

int instance_args_env(const struct opt_list *env, const struct opt_list *files,
		      const struct session *s, struct arena *a, struct strs *out, struct err *e)
{
	/* Files first: what is said on the command line wins. */
	for (size_t i = 0; files && i < files->n; i++) {
		int r = env_file(files->v[i], s, a, out, e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < env->n; i++) {
		if (!*env->v[i] || *env->v[i] == '=')
			return err_set(e, ERR_USAGE, "--env: no variable name in '%.60s'",
				       env->v[i]);
		add_env(env->v[i], s, a, out);
	}
	return 0;
}

static struct strs strs_of(const struct opt_list *l)
{
	return (struct strs){.v = l->v, .n = l->n};
}

/* "./data:/data" means the caller's directory; the engine knows absolute paths only. */
static int volumes(const struct opt_list *l, struct arena *a, struct strs *out, struct err *e)
{
	char cwd[PATH_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const char *v = l->v[i];

		if (*v == '.' && strchr(v, ':')) {
			if (!getcwd(cwd, sizeof(cwd)))
				return err_sys(e, "working directory");
			v = arena_printf(a, "%s/%s", cwd, v);
		}
		arena_strs_add(a, out, v);
	}
	return 0;
}

/* The same for --mount source=./data. */
static int mounts(const struct opt_list *l, struct arena *a, struct strs *out, struct err *e)
{
	char cwd[PATH_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const char *v = l->v[i], *at = strstr(v, "source=.") ?: strstr(v, "src=.");

		if (at && (at == v || at[-1] == ',')) {
			at = strchr(at, '=') + 1;
			if (!getcwd(cwd, sizeof(cwd)))
				return err_sys(e, "working directory");
			v = arena_printf(a, "%.*s%s/%s", (int)(at - v), v, cwd, at);
		}
		arena_strs_add(a, out, v);
	}
	return 0;
}

/* Files first: what is said on the command line wins. */
static int labels(const struct instance_args *i, struct arena *a, struct strs *out, struct err *e)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < i->label_file.n; k++)
		r = key_file("label-file", i->label_file.v[k], a, out, e);
	for (size_t k = 0; k < i->label.n; k++)
		arena_strs_add(a, out, i->label.v[k]);
	return r;
}

/* --isolation knows docker's names, too; --runtime says the same in another way. */
static int isolation(const struct instance_args *i, int *out, struct err *e)
{
	bool vm = i->isolation == ISOLATION_VM || i->isolation == ISOLATION_HYPERV;

	*out = vm ? PLAN_VM : PLAN_CONTAINER;
	if (!i->runtime)
		return 0;
	if (!streq(i->runtime, "caisson") && !streq(i->runtime, "caisson-vm"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--runtime '%.60s' is not possible: caisson and caisson-vm are, "
			       "other engines' runtimes are not used",
			       i->runtime);
	*out = streq(i->runtime, "caisson-vm") ? PLAN_VM : PLAN_CONTAINER;
	if (i->isolation != ISOLATION_DEFAULT && vm != (*out == PLAN_VM))
		return err_set(e, ERR_USAGE, "conflicting options: --runtime %s and --isolation %s",
			       i->runtime, vm ? "vm" : "container");
	return 0;
}

/* seccomp=FILE becomes seccomp={text}: the engine and the record do not know the caller's files. */
static int security(const struct opt_list *l, struct arena *a, struct strs *out, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *v = l->v[i], *file = str_after(v, "seccomp=");
		auto_free char *text = NULL;
		ssize_t n;

		if (file && *file != '{' && !streq(file, "unconfined") && !streq(file, "builtin") &&
		    !streq(file, "default")) {
			n = file_read(AT_FDCWD, file, KEY_FILE_MAX, &text);
			errno = n < 0 ? (int)-n : 0;
			if (n < 0)
				return err_sys(e, "--security-opt seccomp=%.200s", file);
			v = arena_printf(a, "seccomp=%s", text + strspn(text, " \t\r\n"));
			if (v[strlen("seccomp=")] != '{')
				return err_set(e, ERR_USAGE,
					       "--security-opt seccomp=%.200s: no JSON object",
					       file);
		}
		arena_strs_add(a, out, v);
	}
	return 0;
}

/* What has one possible value is checked here and goes no further. */
static int only_one(const struct instance_args *i, struct err *e)
{
	if (!i->content_trust)
		return err_set(e, ERR_UNSUPPORTED,
			       "--disable-content-trust=false is not possible: there is no notary");
	for (size_t k = 0; k < i->attach.n; k++)
		if (strcasecmp(i->attach.v[k], "stdin") != 0 &&
		    strcasecmp(i->attach.v[k], "stdout") != 0 &&
		    strcasecmp(i->attach.v[k], "stderr") != 0)
			return err_set(e, ERR_USAGE,
				       "--attach is stdin, stdout or stderr, not '%.60s'",
				       i->attach.v[k]);
	if (i->uts && !streq(i->uts, "host") && *i->uts)
		return err_set(e, ERR_USAGE, "--uts is 'host' or nothing, not '%.60s'", i->uts);
	return 0;
}

static int64_t swap_of(uint64_t said)
{
	return said == UINT64_MAX ? -1 : said > INT64_MAX ? INT64_MAX : (int64_t)said;
}

static void limits(const struct instance_args *i, struct request *q)
{
	q->memory_bytes = i->memory;
	q->memory_reservation = i->memory_reservation;
	q->memory_swap = swap_of(i->memory_swap);
	if (i->memory_swappiness >= 0)
		q->swappiness = (struct jbind_optint){true, i->memory_swappiness};
	q->oom_kill_disable = i->oom_kill_disable;
	q->nano_cpus = i->cpus;
	q->cpu_shares = i->cpu_shares;
	q->cpu_period = i->cpu_period;
	q->cpu_quota = i->cpu_quota;
	q->cpu_rt_period = i->cpu_rt_period;
	q->cpu_rt_runtime = i->cpu_rt_runtime;
	q->cpuset_cpus = i->cpuset_cpus;
	q->cpuset_mems = i->cpuset_mems;
	q->pids = (struct jbind_optint){true, i->pids};
	q->blkio_weight = i->blkio_weight;
	q->blkio_weight_devices = strs_of(&i->blkio_weight_device);
	q->device_read_bps = strs_of(&i->device_read_bps);
	q->device_write_bps = strs_of(&i->device_write_bps);
	q->device_read_iops = strs_of(&i->device_read_iops);
	q->device_write_iops = strs_of(&i->device_write_iops);
	q->ulimits = strs_of(&i->ulimit);
	if (i->oom_score != 0)
		q->oom_score = (struct jbind_optint){true, i->oom_score};
}

int instance_args_request(const struct instance_args *i, const struct session *s, int argc,
			  char **argv, struct arena *a, struct request *q, struct err *e)
{
	const struct strs said = strs_of(&i->network);
	int r;

	*q = (struct request){
	    .image = argv[0],
	    .name = i->name,
	    .pod = i->pod,
	    .machine = i->in,
	    .platform = i->platform,
	    .workdir = i->workdir,
	    .user = i->user,
	    .hostname = i->hostname,
	    .domainname = i->domainname,
	    .group_add = strs_of(&i->group_add),
	    .tty = i->tty,
	    .open_stdin = i->interactive,
	    .auto_remove = i->rm,
	    .read_only = i->read_only,
	    .restart = i->restart,
	    .log_driver = i->log_driver,
	    .log_opts = strs_of(&i->log_opt),
	    .health_cmd = i->health_cmd,
	    .health_on_failure = i->health_on_failure,
	    .no_healthcheck = i->no_healthcheck,
	    .health_interval_ns = i->health_interval,
	    .health_timeout_ns = i->health_timeout,
	    .health_start_period_ns = i->health_start_period,
	    .health_start_interval_ns = i->health_start_interval,
	    .health_retries = i->health_retries,
	    .tmpfs = strs_of(&i->tmpfs),
	    .volumes_from = strs_of(&i->volumes_from),
	    .shm_bytes = i->shm,
	    .ip = i->ip,
	    .ip6 = i->ip6,
	    .mac = i->mac_address,
	    .aliases = strs_of(&i->network_alias),
	    .network_rate = i->network_rate,
	    .publish = strs_of(&i->publish),
	    .expose = strs_of(&i->expose),
	    .publish_all = i->publish_all,
	    .dns = strs_of(&i->dns),
	    .dns_search = strs_of(&i->dns_search),
	    .dns_options = strs_of(&i->dns_option),
	    .storage_opts = strs_of(&i->storage_opt),
	    .attach = strs_of(&i->attach),
	    .hosts = strs_of(&i->add_host),
	    .cap_add = strs_of(&i->cap_add),
	    .cap_drop = strs_of(&i->cap_drop),
	    .init = i->init,
	    .privileged = i->privileged,
	    .pid_mode = i->pid,
	    .ipc_mode = i->ipc,
	    .devices = strs_of(&i->device),
	    .device_rules = strs_of(&i->device_cgroup_rule),
	    .sysctls = strs_of(&i->sysctl),
	    .cgroup_parent = i->cgroup_parent,
	    .vm_cold = i->vm_template == VM_TEMPLATE_OFF,
	    .vm_hugepages = i->vm_hugepages,
	    .accel = i->accel == ACCEL_KVM   ? "kvm"
		     : i->accel == ACCEL_TCG ? "tcg"
					     : NULL,
	    .cgroupns_host = i->cgroupns == CGROUPNS_HOST,
	    .uts_host = i->uts && *i->uts,
	    .userns_mode = i->userns,
	    .annotations = strs_of(&i->annotation),
	    .stop_signal = i->stop_signal,
	    .stop_timeout_s = {true, i->stop_timeout},
	};
	limits(i, q);
	for (int k = 1; k < argc; k++)
		arena_strs_add(a, &q->args, argv[k]);
	if (i->entrypoint) {
		q->entrypoint_set = true;
		if (*i->entrypoint)
			arena_strs_add(a, &q->entrypoint, i->entrypoint);
	}
	r = only_one(i, e);
	if (r == 0)
		r = netspec_take(&said, q, a, e);
	if (r == 0)
		r = security(&i->security_opt, a, &q->security_opt, e);
	if (r == 0)
		r = isolation(i, &q->isolation, e);
	if (r == 0)
		r = labels(i, a, &q->labels, e);
	if (r == 0)
		r = instance_args_env(&i->env, &i->env_file, s, a, &q->env, e);
	if (r == 0)
		r = mounts(&i->mount, a, &q->mounts, e);
	return r < 0 ? r : volumes(&i->volume, a, &q->volumes, e);
}

bool instance_args_attached(const struct instance_args *i, const char *stream)
{
	for (size_t k = 0; k < i->attach.n; k++)
		if (strcasecmp(i->attach.v[k], stream) == 0)
			return true;
	return !i->attach.n;
}

void instance_args_advise(struct session *s, const struct request *q)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = emulated_warning(s, q, &a);

	if (text)
		fprintf(stderr, "warning: %s\n", text);
}

int instance_args_cidfile_check(const char *option, const char *path, struct err *e)
{
	if (path && access(path, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "--%s '%s' exists: is another instance using it?",
			       option, path);
	return 0;
}

int instance_args_cidfile_write(const char *option, const char *path, const char *id, struct err *e)
{
	auto_fd int fd = -1;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, id, strlen(id)) < 0)
		return err_sys(e, "--%s '%s'", option, path);
	return 0;
}
