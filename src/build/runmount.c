/* SPDX-License-Identifier: Apache-2.0 */
#include "build/runmount.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/filecopy.h"
#include "build/step_int.h"
#include "engine/request.h"
#include "fmt/digest.h"
#include "fmt/dockerfile.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX  (512 << 10) /* bytes, as docker's builder */
#define PRIVATE_MAX 64		/* caches of one id that are in use at once */

enum runmount_sharing { SHARING_SHARED, SHARING_LOCKED, SHARING_PRIVATE };

/* Where an agent's socket is for a step, as docker's builder puts it. */
#define SSH_SOCKET "/run/buildkit/ssh_agent.0"

/* ---- reading the flag ---- */

static int field_bool(const char *value, bool *out)
{
	if (!value || streq(value, "true") || streq(value, "1"))
		*out = true;
	else if (streq(value, "false") || streq(value, "0"))
		*out = false;
	else
		return -EINVAL;
	return 0;
}

static int field_number(const char *value, int base, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = value ? strtoul(value, &end, base) : 0;
	if (!value || errno || *end || end == value || v > max)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int field_type(const char *value, int *out)
{
	static const char *const names[] = {"bind", "cache", "tmpfs", "secret", "ssh"};

	for (int i = 0; value && i < 5; i++)
		if (streq(value, names[i])) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

static int field_sharing(const char *value, int *out)
{
	static const char *const names[] = {"shared", "locked", "private"};

	for (int i = 0; value && i < 3; i++)
		if (streq(value, names[i])) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

static int read_field(struct runmount *m, const char *key, const char *value, bool *writable)
{
	uint32_t mode;
	int r = value && *value ? 0 : -EINVAL;

	if (streq(key, "type"))
		return field_type(value, &m->type);
	if (streq(key, "ro") || streq(key, "readonly"))
		return field_bool(value, &m->readonly);
	if (streq(key, "rw") || streq(key, "readwrite"))
		return field_bool(value, writable);
	if (streq(key, "required"))
		return field_bool(value, &m->required);
	if (streq(key, "sharing"))
		return field_sharing(value, &m->sharing);
	if (streq(key, "uid"))
		return field_number(value, 10, UINT32_MAX - 1, &m->uid);
	if (streq(key, "gid"))
		return field_number(value, 10, UINT32_MAX - 1, &m->gid);
	if (streq(key, "size"))
		return opt_parse_bytes(value, &m->size);
	if (streq(key, "mode")) {
		r = field_number(value, 8, 07777, &mode);
		m->mode = mode;
		return r;
	}
	if (streq(key, "target") || streq(key, "dst") || streq(key, "destination"))
		m->target = value;
	else if (streq(key, "source") || streq(key, "src"))
		m->source = value;
	else if (streq(key, "id"))
		m->id = value;
	else if (streq(key, "from"))
		m->from = value;
	else if (streq(key, "env"))
		m->env = value;
	else
		return -ENOENT;
	return r;
}

static int read_fields(struct runmount *m, const char *text, struct arena *a, bool *writable,
		       struct err *e)
{
	const char *p = text;

	while (*p) {
		size_t n = strcspn(p, ",");
		char *key = arena_dupn(a, p, n), *value = strchr(key, '=');
		int r;

		if (value)
			*value++ = 0;
		for (char *c = key; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		r = read_field(m, key, value, writable);
		if (r == -ENOENT)
			return err_set(e, ERR_USAGE, "RUN --mount=%.200s: '%.32s' is not known",
				       text, key);
		if (r < 0)
			return err_set(e, ERR_USAGE,
				       "RUN --mount=%.200s: '%.64s' cannot be the %.32s", text,
				       value ? value : "", key);
		p += n;
		p += *p == ',';
	}
	return 0;
}

/* What a type does not know is refused, not passed over. */
static int check_fields(struct runmount *m, const char *text, struct err *e)
{
	const char *odd = NULL;

	if (m->type != RUNMOUNT_BIND && m->type != RUNMOUNT_CACHE && (m->from || m->source))
		odd = m->from ? "from" : "source";
	if (m->type != RUNMOUNT_TMPFS && m->size)
		odd = "size";
	if (m->type != RUNMOUNT_SECRET && m->type != RUNMOUNT_SSH && m->required)
		odd = "required";
	if (m->type != RUNMOUNT_SECRET && m->env)
		odd = "env";
	if (m->type != RUNMOUNT_CACHE && m->sharing)
		odd = "sharing";
	if (odd)
		return err_set(e, ERR_USAGE, "RUN --mount=%.200s: %s means nothing for this type",
			       text, odd);
	if (m->type == RUNMOUNT_CACHE && (m->from || m->source))
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "RUN --mount=%.200s: a cache that begins with files is not supported", text);
	if (m->type == RUNMOUNT_SSH && (m->mode != 0600 || m->uid || m->gid))
		return err_set(e, ERR_UNSUPPORTED,
			       "RUN --mount=%.200s: the agent's socket keeps its owner and mode",
			       text);
	return 0;
}

static int complete(struct runmount *m, const struct step_state *st, const char *text,
		    struct arena *a, struct err *e)
{
	const char *dir = st->conf.c.config.working_dir;

	if (m->type == RUNMOUNT_SECRET && !m->id && m->target)
		m->id = strrchr(m->target, '/') ? strrchr(m->target, '/') + 1 : m->target;
	if (m->type == RUNMOUNT_SECRET && !m->target && !m->env)
		m->target = m->id ? arena_printf(a, "/run/secrets/%s", m->id) : NULL;
	if (m->type == RUNMOUNT_SECRET && !m->id)
		return err_set(e, ERR_USAGE, "RUN --mount=%.200s: want id=NAME", text);
	if (m->type == RUNMOUNT_SSH && !m->id)
		m->id = "default";
	if (m->type == RUNMOUNT_SSH && !m->target)
		m->target = SSH_SOCKET;
	if (!m->target && !m->env)
		return err_set(e, ERR_USAGE, "RUN --mount=%.200s: want target=PATH", text);
	if (m->target && strchr(m->target, ','))
		return err_set(e, ERR_USAGE, "RUN --mount=%.200s: a ',' in the target", text);
	if (m->target && *m->target != '/')
		m->target = arena_printf(a, "%s/%s", dir ? dir : "", m->target);
	if (m->type == RUNMOUNT_CACHE && !m->id)
		m->id = m->target;
	return 0;
}

static int read_mount(struct runmount *m, struct step_state *st, const char *text, struct arena *a,
		      struct err *e)
{
	bool writable = false;
	const char *word = NULL;
	int r = scope_word(&st->conf.scope, text, &word, e);

	*m = (struct runmount){.type = RUNMOUNT_BIND, .lock = -1, .mode = 0};
	if (r >= 0)
		r = read_fields(m, word, a, &writable, e);
	if (!m->mode)
		m->mode = m->type == RUNMOUNT_SECRET ? 0400 : m->type == RUNMOUNT_SSH ? 0600 : 0755;
	if (r >= 0)
		r = check_fields(m, word, e);
	/* A bind is read-only unless it says otherwise, a cache the other way round. */
	if (m->type == RUNMOUNT_BIND && !writable)
		m->readonly = true;
	return r < 0 ? r : complete(m, st, word, a, e);
}

/* ---- files ---- */

static int find_files(struct runmount *m, struct step_env *env, struct filefind_root *root,
		      struct filefind_list *files, struct arena *a, struct err *e)
{
	const char *source[] = {m->source ? m->source : "/"};
	struct strs patterns = {.v = source, .n = 1};
	int r = 0;

	*root = env->context;
	if (m->from)
		r = env->from(env->ctx, m->from, root, e);
	return r < 0 ? r : filefind_find(root, &patterns, &(struct filefind_rules){0}, a, files, e);
}

static int digest_files(struct runmount *m, struct step_env *env, struct arena *a, struct err *e)
{
	struct filefind_list files;
	struct filefind_root root;
	int r = find_files(m, env, &root, &files, a, e);

	return r < 0 ? r : filefind_digest(&root, &files, m->sum, &env->why, e);
}

/* The user's file behind --secret ID=PATH, or socket behind --ssh ID=PATH. */
static int find_given(struct runmount *m, const struct strs *given, const char *option,
		      struct err *e)
{
	for (size_t i = 0; i < given->n; i++) {
		const char *path = str_after(given->v[i], m->id);

		if (path && *path == '=') {
			m->path = path + 1;
			return 0;
		}
	}
	if (m->required)
		return err_set(e, ERR_NOT_FOUND, "no %s '%.64s': give --%s", option, m->id,
			       m->type == RUNMOUNT_SSH ? "ssh ID[=SOCKET]"
						       : "secret id=ID,src=FILE");
	return 0;
}

int runmount_prepare(struct runmounts *m, struct step_env *env, struct step_state *st,
		     const struct dockerfile_instr *in, struct arena *a, struct err *e)
{
	int r = 0;

	*m = (struct runmounts){.env = env};
	for (size_t i = 0; r >= 0 && i < in->flags_n; i++) {
		struct runmount *one = &m->v[m->n];

		if (!streq(in->flags[i].name, "mount"))
			continue;
		if (m->n == RUNMOUNT_MAX)
			return err_set(e, ERR_LIMIT, "more than %d mounts", RUNMOUNT_MAX);
		r = read_mount(one, st, in->flags[i].value, a, e);
		if (r >= 0 && one->type == RUNMOUNT_BIND)
			r = digest_files(one, env, a, e);
		if (r >= 0 && one->type == RUNMOUNT_SECRET)
			r = find_given(one, &env->secrets, "secret", e);
		if (r >= 0 && one->type == RUNMOUNT_SSH)
			r = find_given(one, &env->ssh, "ssh agent", e);
		/* A secret that is not there and not required is no mount. */
		if (r >= 0 &&
		    ((one->type != RUNMOUNT_SECRET && one->type != RUNMOUNT_SSH) || one->path))
			m->n++;
	}
	return r;
}

void runmount_key(const struct runmounts *m, struct sha256 *h)
{
	for (size_t i = 0; i < m->n; i++) {
		unsigned char type = (unsigned char)m->v[i].type;

		sha256_add(h, &type, 1);
		step_key_text(h, m->v[i].target);
		step_key_text(h, m->v[i].env);
		step_key_text(h, m->v[i].id);
		sha256_add(h, m->v[i].sum, sizeof(m->v[i].sum));
	}
}

void runmount_note(const struct runmounts *m, struct why *w)
{
	static const char *const names[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; i < m->n; i++) {
		const struct runmount *one = &m->v[i];
		const char *text = arena_printf(&a, "%s %s %s", one->target ? one->target : "",
						one->env ? one->env : "", one->id ? one->id : "");

		why_text(w, arena_printf(&a, "--mount %zu, a %s,", i + 1, names[one->type]), text);
	}
}

/* ---- making them ---- */

static int copy_files(struct runmounts *m, struct runmount *one, const char *name, struct arena *a,
		      struct err *e)
{
	struct step_env env = *m->env;
	struct filefind_list files;
	struct filefind_root root;
	auto_fd int dir = -1;
	int r = find_files(one, &env, &root, &files, a, e);

	if (r < 0)
		return r;
	if (mkdirat(stage_fd(m->stage), name, 0755) < 0 ||
	    (dir = openat(stage_fd(m->stage), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, "a copy for --mount");
	one->path =
	    arena_printf(a, "%s/%s/%s", store_root_path(m->env->store), stage_path(m->stage), name);
	/* A file is bound as a file, under the name that it has there. */
	if (files.n == 1 && files.v[0].alone)
		one->path = arena_printf(a, "%s/%s", one->path, files.v[0].to);
	return filecopy_write(&root, &files, dir, e);
}

const char *runmount_cache_name(const char *id, int number, struct arena *a)
{
	unsigned char sum[32];
	char digest[DIGEST_LEN + 1];

	sha256_of(id, strlen(id), sum);
	digest_print(sum, digest);
	return arena_printf(a, "%s-%d", digest_hex(digest), number);
}

int runmount_caches(struct store *s, struct err *e)
{
	int root = store_root_fd(s);

	if ((mkdirat(root, "cache", 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(root, RUNMOUNT_CACHES, 0700) < 0 && errno != EEXIST))
		return err_sys(e, "'%s/" RUNMOUNT_CACHES "'", store_root_path(s));
	return 0;
}

static bool still_there(int root, const char *name, int fd)
{
	struct stat named, open;

	return fstatat(root, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
	       named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

/* A directory of the store for this id; LOCKED waits for its turn, PRIVATE takes another one. */
static int open_cache(struct runmounts *m, struct runmount *one, struct arena *a, struct err *e)
{
	int root = store_root_fd(m->env->store),
	    how = one->sharing == SHARING_SHARED ? LOCK_SH : LOCK_EX;
	int r = runmount_caches(m->env->store, e);

	if (r < 0)
		return r;
	for (int i = 0; i < PRIVATE_MAX; i++) {
		const char *name =
		    arena_printf(a, RUNMOUNT_CACHES "/%s", runmount_cache_name(one->id, i, a));
		auto_fd int fd = -1;

		if (mkdirat(root, name, 0700) == 0) {
			if (fchownat(root, name, one->uid, one->gid, 0) < 0 ||
			    fchmodat(root, name, one->mode, 0) < 0)
				return err_sys(e, "cache '%s'", one->id);
		} else if (errno != EEXIST) {
			return err_sys(e, "cache '%s'", one->id);
		}
		fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "cache '%s'", one->id);
		if (flock(fd, one->sharing == SHARING_PRIVATE ? how | LOCK_NB : how) < 0) {
			if (errno == EWOULDBLOCK)
				continue;
			return err_sys(e, "cache '%s'", one->id);
		}
		if (!still_there(root, name, fd)) { /* pruned before it was ours: once more */
			i--;
			continue;
		}
		(void)futimens(
		    fd, (struct timespec[]){{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}});
		one->lock = take_fd(&fd);
		one->path = arena_printf(a, "%s/%s", store_root_path(m->env->store), name);
		return 0;
	}
	return err_set(e, ERR_CONFLICT, "cache '%s': %d builds use it already", one->id,
		       PRIVATE_MAX);
}

static int secret_variable(const struct runmount *one, struct request *q, struct arena *a,
			   struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, one->path, SECRET_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "secret '%s'", one->id);
	}
	if (strlen(text) != (size_t)n)
		return err_set(e, ERR_USAGE, "secret '%s' has a NUL byte and cannot be a variable",
			       one->id);
	arena_strs_add(a, &q->env, arena_printf(a, "%s=%s", one->env, text));
	return 0;
}

/* The user's own file is what a step sees, so that there is no other: unless it wants another owner
 * or mode, then it sees a copy that goes with the step. */
static int copy_secret(struct runmounts *m, struct runmount *one, const char *name, struct arena *a,
		       struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, one->path, SECRET_MAX, &text);
	int dir = stage_fd(m->stage), r;

	r = n < 0 ? (int)n : file_replace(dir, name, text, (size_t)n, 0400, FILE_LAZY);
	if (text)
		explicit_bzero(text, n > 0 ? (size_t)n : 0);
	errno = -r;
	if (r < 0 || fchownat(dir, name, one->uid, one->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, one->mode, 0) < 0)
		return err_sys(e, "secret '%s' for %u:%u with mode %o", one->id, one->uid, one->gid,
			       (unsigned int)one->mode);
	one->path =
	    arena_printf(a, "%s/%s/%s", store_root_path(m->env->store), stage_path(m->stage), name);
	return 0;
}

static void bind(struct request *q, const char *path, const char *target, bool readonly,
		 struct arena *a)
{
	arena_strs_add(a, &q->mounts,
		       arena_printf(a, "type=bind,source=%s,target=%s%s", path, target,
				    readonly ? ",readonly" : ""));
}

static int make_one(struct runmounts *m, size_t i, struct request *q, struct arena *a,
		    struct err *e)
{
	struct runmount *one = &m->v[i];
	int r = 0;

	if (one->type == RUNMOUNT_TMPFS) {
		arena_strs_add(a, &q->tmpfs,
			       one->size ? arena_printf(a, "%s:size=%llu", one->target,
							(unsigned long long)one->size)
					 : one->target);
		return 0;
	}
	if (one->type == RUNMOUNT_BIND)
		r = copy_files(m, one, arena_printf(a, "bind-%zu", i), a, e);
	else if (one->type == RUNMOUNT_CACHE)
		r = open_cache(m, one, a, e);
	else if (one->env)
		r = secret_variable(one, q, a, e);
	if (r >= 0 && one->type == RUNMOUNT_SECRET && one->target &&
	    (one->mode != 0400 || one->uid || one->gid))
		r = copy_secret(m, one, arena_printf(a, "secret-%zu", i), a, e);
	if (one->type == RUNMOUNT_SSH)
		arena_strs_add(a, &q->env, arena_printf(a, "SSH_AUTH_SOCK=%s", one->target));
	if (r >= 0 && one->target)
		bind(q, one->path, one->target, one->readonly || one->type == RUNMOUNT_SECRET, a);
	return r;
}

static int put_script(struct runmounts *m, const char *text, const char *target, struct request *q,
		      struct arena *a, struct err *e)
{
	errno = -file_replace(stage_fd(m->stage), "script", text, strlen(text), 0755, FILE_LAZY);
	if (errno)
		return err_sys(e, "the script of a heredoc");
	bind(q,
	     arena_printf(a, "%s/%s/script", store_root_path(m->env->store), stage_path(m->stage)),
	     target, true, a);
	return 0;
}

int runmount_request(struct runmounts *m, const char *script, const char *script_path,
		     struct request *q, struct arena *a, struct err *e)
{
	int r = 0;

	if (m->n || script)
		r = stage_new(m->env->store, &m->stage, e);
	for (size_t i = 0; r >= 0 && i < m->n; i++)
		r = make_one(m, i, q, a, e);
	return r < 0 || !script ? r : put_script(m, script, script_path, q, a, e);
}

void runmount_done(struct runmounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].lock >= 0)
			close(m->v[i].lock);
	stage_free(m->stage);
}
