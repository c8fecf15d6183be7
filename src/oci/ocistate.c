/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocistate.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define STATE_MAX  (256u << 10)
#define CONFIG_MAX (16u << 20)
#define ID_MAX	   1024

const char *const ocistate_names[] = {"created", "running", "paused", "stopped", NULL};

static const struct jbind_field fields[] = {
    JB(struct ocistate, id, "id", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct ocistate, pid, "pid", JBIND_INT, .flags = JBIND_REQUIRED),
    JB(struct ocistate, start_time, "startTime", JBIND_UINT),
    JB(struct ocistate, bundle, "bundle", JBIND_STR),
    JB(struct ocistate, rootfs, "rootfs", JBIND_STR),
    JB(struct ocistate, created, "created", JBIND_STR),
    JB(struct ocistate, owner, "owner", JBIND_STR),
    JB(struct ocistate, systemd_cgroup, "systemdCgroup", JBIND_BOOL),
    JB(struct ocistate, rootless, "rootless", JBIND_BOOL),
    JB(struct ocistate, vm, "vm", JBIND_BOOL),
    JB(struct ocistate, rdt_made, "rdtMade", JBIND_BOOL),
    JB(struct ocistate, cgroup, "cgroup", JBIND_STR),
    JB_END,
};
static const struct jbind table = {.size = sizeof(struct ocistate), .fields = fields};

int ocistate_check_id(const char *id, struct err *e)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";

	if (!*id)
		return err_set(e, ERR_USAGE, "container id cannot be empty");
	if (*id == '.' || strlen(id) > ID_MAX || id[strspn(id, allowed)])
		return err_set(e, ERR_USAGE, "invalid container ID format: '%s'", id);
	return 0;
}

int ocistate_open_root(const char *root, bool make, struct err *e)
{
	auto_fd int top = -1;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		top = open(*root == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = top < 0 ? -errno : path_mkdirs(top, root, 0711, PATH_IN_ROOT);
		if (fd >= 0)
			close(fd);
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(e, "state directory '%s'", root) : fd;
}

int ocistate_make(int root_fd, const char *id, int *dir, struct err *e)
{
	auto_fd int fd = -1;

	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(e, ERR_EXISTS,
				       "container with given ID already exists: '%s'", id);
		return err_sys(e, "state of '%s'", id);
	}
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "state of '%s'", id);
	*dir = take_fd(&fd);
	return 0;
}

int ocistate_save(int dir, const struct ocistate *s, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(STATE_MAX);
	int r;

	jbind_write(&table, s, &b);
	if (buf_fail(&b, "state.json", e) < 0)
		return -EOVERFLOW;
	r = file_replace(dir, "state.json", b.p, b.len, 0600, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "write state.json of '%s'", s->id);
	}
	return 0;
}

int ocistate_load(int root_fd, const char *id, int *dir, struct ocistate *s, struct arena *a,
		  struct err *e)
{
	auto_free char *text = NULL;
	auto_fd int fd = -1;
	struct ocistate got = {0};
	ssize_t n;
	int r;

	r = ocistate_check_id(id, e);
	if (r < 0)
		return r;
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	n = fd < 0 ? -errno : file_read(fd, "state.json", STATE_MAX, &text);
	if (n == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, "container does not exist: '%s'", id);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "state of '%s'", id);
	}
	r = jbind_parse(&table, text, (size_t)n, &got, a, "state.json", e);
	if (r < 0)
		return r;
	*s = got;
	*dir = take_fd(&fd);
	return 0;
}

int ocistate_plan(int dir, struct arena *a, struct plan **p, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(dir, OCISTATE_CONFIG, CONFIG_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "saved config.json");
	}
	return plan_parse(text, (size_t)n, "config.json", a, p, e);
}

uint64_t ocistate_start_time(pid_t pid)
{
	char path[32], text[1024], *p, state;
	auto_fd int fd = -1;
	unsigned long long start = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* "pid (comm) state ...": comm may hold anything, so from its end; field 22 (proc(5)). */
	p = strrchr(text, ')');
	if (!p ||
	    sscanf(p + 1,
		   " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		   "%*d %*d %*d %llu",
		   &state, &start) != 2 ||
	    state == 'Z' || state == 'X')
		return 0;
	return start;
}

static bool paused(const struct ocistate *s)
{
	auto_cgroup struct cgroup *cg = NULL;
	bool frozen = false;

	if (!s->cgroup || cgroup_open_saved(s->cgroup, &cg, NULL) < 0)
		return false;
	return cgroup_freeze_state(cg, &frozen, NULL) == 0 && frozen;
}

enum ocistate_status ocistate_now(int dir, const struct ocistate *s)
{
	uint64_t start = s->pid > 0 ? ocistate_start_time((pid_t)s->pid) : 0;

	if (!start || start != s->start_time)
		return OCISTATE_STOPPED;
	if (faccessat(dir, OCISTATE_START, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return OCISTATE_CREATED;
	return paused(s) ? OCISTATE_PAUSED : OCISTATE_RUNNING;
}

int ocistate_remove(int root_fd, const char *id, struct err *e)
{
	int r = path_remove(root_fd, id);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "remove state of '%s'", id);
	}
	return 0;
}
