/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/instance_args.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "engine/session.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ENV_FILE_MAX (1u << 20)

const char *const instance_args_isolations[] = {"container", "vm", NULL};
const char *const instance_args_pulls[] = {"missing", "always", "never", NULL};

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

static int env_file(const char *path, const struct session *s, struct arena *a, struct strs *out,
		    struct err *e)
{
	auto_free char *text = NULL;
	ssize_t len = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text);
	char *at, *line;

	if (len < 0) {
		errno = (int)-len;
		return err_sys(e, "--env-file '%s'", path);
	}
	at = arena_dupn(a, text, (size_t)len);
	while ((line = strsep(&at, "\n"))) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || *line == '#')
			continue;
		if (*line == '=' || strcspn(line, " \t") < strcspn(line, "="))
			return err_set(e, ERR_USAGE,
				       "--env-file '%s': bad variable name in '%.60s'", path, line);
		add_env(line, s, a, out);
	}
	return 0;
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

int instance_args_request(const struct instance_args *i, const struct session *s, int argc,
			  char **argv, struct arena *a, struct request *q, struct err *e)
{
	int r;

	*q = (struct request){
	    .image = argv[0],
	    .name = i->name,
	    .isolation = i->isolation,
	    .platform = i->platform,
	    .workdir = i->workdir,
	    .user = i->user,
	    .hostname = i->hostname,
	    .group_add = strs_of(&i->group_add),
	    .tty = i->tty,
	    .open_stdin = i->interactive,
	    .auto_remove = i->rm,
	    .read_only = i->read_only,
	    .mounts = strs_of(&i->mount),
	    .tmpfs = strs_of(&i->tmpfs),
	    .shm_bytes = i->shm,
	    .network = i->network,
	    .publish = strs_of(&i->publish),
	    .dns = strs_of(&i->dns),
	    .hosts = strs_of(&i->add_host),
	    .memory_bytes = i->memory,
	    .nano_cpus = i->cpus,
	    .pids = {true, i->pids},
	    .ulimits = strs_of(&i->ulimit),
	    .cap_add = strs_of(&i->cap_add),
	    .cap_drop = strs_of(&i->cap_drop),
	    .security_opt = strs_of(&i->security_opt),
	    .labels = strs_of(&i->label),
	    .stop_signal = i->stop_signal,
	    .stop_timeout_s = {true, i->stop_timeout},
	};
	if (i->oom_score != 0)
		q->oom_score = (struct jbind_optint){true, i->oom_score};
	for (int k = 1; k < argc; k++)
		arena_strs_add(a, &q->args, argv[k]);
	if (i->entrypoint) {
		q->entrypoint_set = true;
		if (*i->entrypoint)
			arena_strs_add(a, &q->entrypoint, i->entrypoint);
	}
	r = instance_args_env(&i->env, &i->env_file, s, a, &q->env, e);
	return r < 0 ? r : volumes(&i->volume, a, &q->volumes, e);
}

int instance_args_cidfile_check(const char *path, struct err *e)
{
	if (path && access(path, F_OK) == 0)
		return err_set(e, ERR_EXISTS,
			       "--cidfile '%s' exists: is another instance using it?", path);
	return 0;
}

int instance_args_cidfile_write(const char *path, const char *id, struct err *e)
{
	auto_fd int fd = -1;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, id, strlen(id)) < 0)
		return err_sys(e, "--cidfile '%s'", path);
	return 0;
}
