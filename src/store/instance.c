/* SPDX-License-Identifier: Apache-2.0 */
#include "store/instance.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "spec/health.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define RECORD_MAX (4u << 20)
#define DOC_MAX	   (256u << 10) /* health.json is the largest */
#define PATH_LEN   (16 + INSTANCE_NAME_MAX + 32)

const char *const instance_status_names[] = {"created",	   "running", "paused",
					     "restarting", "exited",  NULL};
_Static_assert(sizeof(instance_status_names) / sizeof(*instance_status_names) ==
		   INSTANCE_STATUS_MAX_ + 1,
	       "a name per status");

#define M(m, type, ...) JB(struct instance_mount, m, #m, type, ##__VA_ARGS__)
static const struct jbind_field mount_fields[] = {
    M(type, JBIND_STR),	       M(name, JBIND_STR),	 M(source, JBIND_STR),
    M(destination, JBIND_STR), M(subpath, JBIND_STR),	 M(mode, JBIND_STR),
    M(options, JBIND_STRS),    M(anonymous, JBIND_BOOL), JB_END,
};
static const struct jbind mount_table = {.size = sizeof(struct instance_mount),
					 .fields = mount_fields};

#define I(m, type, ...) JB(struct instance, m, #m, type, ##__VA_ARGS__)
static const struct jbind_field fields[] = {
    I(id, JBIND_STR, .flags = JBIND_REQUIRED),
    I(name, JBIND_STR, .flags = JBIND_REQUIRED),
    I(image, JBIND_STR),
    I(image_id, JBIND_STR),
    I(isolation, JBIND_ENUM, .names = plan_isolation_names),
    I(created_ns, JBIND_INT),
    I(command, JBIND_STRS),
    I(labels, JBIND_STRS),
    I(ports, JBIND_STRS),
    I(mounts, JBIND_LIST, .sub = &mount_table),
    I(auto_remove, JBIND_BOOL),
    I(pod, JBIND_STR),
    I(request, JBIND_RAW),
    JB_END,
};
const struct jbind instance_table = {.size = sizeof(struct instance), .fields = fields};

#define S(m, type) JB(struct instance_start, m, #m, type)
static const struct jbind_field start_fields[] = {
    S(pid, JBIND_INT),	      S(monitor_pid, JBIND_INT),
    S(started_ns, JBIND_INT), S(restarts, JBIND_INT),
    S(address, JBIND_STR),    S(ports, JBIND_STRS),
    S(health, JBIND_BOOL),    JB_END,
};
const struct jbind instance_start_table = {.size = sizeof(struct instance_start),
					   .fields = start_fields};

#define X(m, type, ...) JB(struct instance_exit, m, #m, type, ##__VA_ARGS__)
static const struct jbind_field exit_fields[] = {
    X(code, JBIND_INT, .flags = JBIND_KEEP),
    X(finished_ns, JBIND_INT),
    X(oom, JBIND_BOOL),
    X(stopped, JBIND_BOOL),
    X(error, JBIND_STR),
    JB_END,
};
const struct jbind instance_exit_table = {.size = sizeof(struct instance_exit),
					  .fields = exit_fields};

static const struct jbind_field again_fields[] = {
    JB(struct instance_again, restarts, "restarts", JBIND_INT),
    JB(struct instance_again, wait_ms, "wait_ms", JBIND_INT),
    JB_END,
};
const struct jbind instance_again_table = {.size = sizeof(struct instance_again),
					   .fields = again_fields};

void instance_new_id(char id[INSTANCE_ID + 1])
{
	unsigned char b[INSTANCE_ID / 2];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort();
	for (size_t i = 0; i < sizeof(b); i++)
		snprintf(id + 2 * i, 3, "%02x", b[i]);
}

int instance_check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !(i && strchr("_.-", name[i])))
			n = 0;
	if (!n || n > INSTANCE_NAME_MAX)
		return err_set(e, ERR_USAGE,
			       "invalid name '%.60s': up to %d of [a-zA-Z0-9_.-], beginning with "
			       "a letter or digit",
			       name, INSTANCE_NAME_MAX);
	return 0;
}

static bool is_id(const char *s)
{
	return strspn(s, "0123456789abcdef") == INSTANCE_ID && !s[INSTANCE_ID];
}

/* Made when missing; the parent always exists. */
static int subdir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

static int sys(struct err *e, int r, const char *what)
{
	errno = -r;
	return err_sys(e, "%s", what);
}

/* Is the instance of this id there, or being made by somebody? */
static bool id_in_use(int root_fd, const char *id)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "instances/%.64s", id);
	return faccessat(root_fd, path, F_OK, 0) == 0;
}

/* A kill -9 within a rename left this link: the record says another name, and nobody is at it. */
static bool left_by_rename(int root_fd, const char *id, const char *name)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int lock = instance_try_lock(root_fd, id, NULL);
	struct instance i;

	return lock >= 0 && instance_load(root_fd, id, &a, &i, NULL) == 0 && !streq(i.name, name);
}

static int take_name(int root_fd, const char *id, const char *name, struct err *e)
{
	auto_fd int names = subdir(root_fd, "names");
	char owner[INSTANCE_ID + 1] = "";
	ssize_t n;

	if (names < 0)
		return sys(e, names, "names");
	/* One at a time, because a stale link is replaced in two steps. */
	if (flock(names, LOCK_EX) < 0)
		return err_sys(e, "names");
	if (symlinkat(id, names, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "name '%s'", name);
	n = readlinkat(names, name, owner, INSTANCE_ID);
	owner[n < 0 ? 0 : n] = '\0';
	if (is_id(owner) && id_in_use(root_fd, owner) && !left_by_rename(root_fd, owner, name))
		return err_set(e, ERR_EXISTS,
			       "the name '%s' is already in use by instance %.12s: remove or "
			       "rename that one first",
			       name, owner);
	unlinkat(names, name, 0);
	return symlinkat(id, names, name) < 0 ? err_sys(e, "name '%s'", name) : 0;
}

static void drop_name(int root_fd, const char *id, const char *name)
{
	auto_fd int names = subdir(root_fd, "names");
	char owner[INSTANCE_ID + 1] = "";

	if (names < 0 || flock(names, LOCK_EX) < 0)
		return;
	if (readlinkat(names, name, owner, INSTANCE_ID) == INSTANCE_ID && streq(owner, id))
		unlinkat(names, name, 0);
}

static int make_dir_once(int tmp, int all, const char *id)
{
	auto_fd int fd = -1;

	if (mkdirat(tmp, id, 0700) < 0)
		return -errno;
	fd = openat(tmp, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || renameat(tmp, id, all, id) < 0) {
		int r = -errno;

		unlinkat(tmp, id, AT_REMOVEDIR);
		return r;
	}
	return take_fd(&fd);
}

/* Built in tmp/ and locked there, so that it appears locked and no sweep takes it for garbage. */
static int make_dir(int root_fd, const char *id)
{
	auto_fd int tmp = subdir(root_fd, "tmp");
	auto_fd int all = subdir(root_fd, "instances");
	int r = -ENOENT;

	if (tmp < 0 || all < 0)
		return tmp < 0 ? tmp : all;
	/* A sweep may come between making and locking. */
	for (int tries = 0; tries < 8; tries++) {
		r = make_dir_once(tmp, all, id);
		if (r != -ENOENT)
			return r;
	}
	return r;
}

int instance_create(int root_fd, const char *id, const char *name, struct err *e)
{
	auto_fd int fd = -1;
	char path[PATH_LEN];
	int r = instance_check_name(name, e);

	if (r < 0)
		return r;
	fd = make_dir(root_fd, id);
	if (fd < 0)
		return sys(e, fd, "make instance");
	r = take_name(root_fd, id, name, e);
	if (r < 0) {
		snprintf(path, sizeof(path), "instances/%s", id);
		unlinkat(root_fd, path, AT_REMOVEDIR);
		return r;
	}
	return take_fd(&fd);
}

int instance_commit(int dir_fd, const struct instance *i, bool durable, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	int r;

	jbind_write(&instance_table, i, &b);
	r = buf_fail(&b, "record of the instance", e);
	if (r < 0)
		return r;
	r = file_replace(dir_fd, "record.json", b.p, b.len, 0600,
			 durable ? FILE_DURABLE : FILE_LAZY);
	return r < 0 ? sys(e, r, "record of the instance") : 0;
}

int instance_rename(int root_fd, int dir_fd, struct instance *i, const char *name, struct err *e)
{
	const char *old = i->name;
	int r = take_name(root_fd, i->id, name, e);

	if (r < 0)
		return r;
	i->name = name;
	r = instance_commit(dir_fd, i, !i->auto_remove, e);
	drop_name(root_fd, i->id, r < 0 ? name : old);
	return r;
}

int instance_load(int root_fd, const char *id, struct arena *a, struct instance *out, struct err *e)
{
	auto_free char *text = NULL;
	char path[PATH_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "instances/%.64s/record.json", id);
	n = file_read_doc(root_fd, path, RECORD_MAX, &text);
	if (n == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %.64s", id);
	if (n < 0)
		return sys(e, (int)n, path);
	*out = (struct instance){0};
	return jbind_parse(&instance_table, text, (size_t)n, out, a, path, e);
}

struct prefix {
	const char *text;
	size_t len;
	char id[INSTANCE_ID + 1];
	int hits;
};

static int match_prefix(const char *id, void *arg)
{
	struct prefix *p = arg;

	if (strncmp(id, p->text, p->len) == 0) {
		memcpy(p->id, id, INSTANCE_ID + 1);
		p->hits++;
	}
	return 0;
}

static int find_id(int root_fd, const char *what, char id[INSTANCE_ID + 1], struct err *e)
{
	struct prefix p = {.text = what, .len = strlen(what)};
	char path[PATH_LEN];
	ssize_t n;
	int r;

	if (is_id(what)) {
		memcpy(id, what, INSTANCE_ID + 1);
		return 0;
	}
	if (p.len && p.len <= INSTANCE_NAME_MAX && !strchr(what, '/') && *what != '.') {
		snprintf(path, sizeof(path), "names/%s", what);
		n = readlinkat(root_fd, path, id, INSTANCE_ID);
		id[n < 0 ? 0 : n] = '\0';
		if (n == INSTANCE_ID && id_in_use(root_fd, id))
			return 0;
	}
	if (!p.len || p.len > INSTANCE_ID || strspn(what, "0123456789abcdef") != p.len)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %.80s", what);
	r = instance_each(root_fd, match_prefix, &p, e);
	if (r < 0)
		return r;
	if (p.hits > 1)
		return err_set(e, ERR_CONFLICT, "'%s' begins the ids of %d instances", what,
			       p.hits);
	if (!p.hits)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %s", what);
	memcpy(id, p.id, INSTANCE_ID + 1);
	return 0;
}

int instance_find(int root_fd, const char *what, struct arena *a, struct instance *out,
		  struct err *e)
{
	char id[INSTANCE_ID + 1];
	int r = find_id(root_fd, what, id, e);

	if (r < 0)
		return r;
	r = instance_load(root_fd, id, a, out, e);
	return r == -ENOENT ? err_set(e, ERR_NOT_FOUND, "no such instance: %.80s", what) : r;
}

int instance_each(int root_fd, int (*each)(const char *id, void *arg), void *arg, struct err *e)
{
	int fd = openat(root_fd, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "instances");
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return err_set(e, ERR_SYSTEM, "instances: no memory");
	}
	while (r >= 0 && (de = readdir(d)))
		if (is_id(de->d_name))
			r = each(de->d_name, arg);
	closedir(d);
	return r < 0 ? r : 0;
}

static int lock_dir(int root_fd, const char *id, int how, struct err *e)
{
	char path[PATH_LEN];
	auto_fd int fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "instances/%.64s", id);
	fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %.64s", id);
	if (fd < 0)
		return err_sys(e, "%s", path);
	while (flock(fd, how) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_CONFLICT,
				       "instance %.12s is being changed by another command", id);
		if (errno != EINTR)
			return err_sys(e, "lock %s", path);
	}
	/* Removed while we waited: the lock is on a directory that has no name any more. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0 || faccessat(root_fd, path, F_OK, 0) < 0)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %.64s", id);
	return take_fd(&fd);
}

int instance_lock(int root_fd, const char *id, struct err *e)
{
	return lock_dir(root_fd, id, LOCK_EX, e);
}

int instance_try_lock(int root_fd, const char *id, struct err *e)
{
	return lock_dir(root_fd, id, LOCK_EX | LOCK_NB, e);
}

static int open_run_lock(int run_fd, const char *id, int flags)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "instances/%.64s/lock", id);
	fd = openat(run_fd, path, O_RDWR | O_CLOEXEC | flags, 0600);
	return fd < 0 ? -errno : fd;
}

/* An open file description lock and not flock(): it can be asked about without being taken, so that
 * a `ps` never makes a start fail. */
static int run_lock(int fd, int cmd, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, cmd, &l);
}

int instance_run_lock(int run_fd, const char *id, struct err *e)
{
	auto_fd int fd = open_run_lock(run_fd, id, O_CREAT);

	if (fd == -ENOENT) {
		auto_fd int all = subdir(run_fd, "instances");
		auto_fd int dir = all < 0 ? all : subdir(all, id);

		if (dir < 0)
			return sys(e, dir, "run directory of the instance");
		fd = open_run_lock(run_fd, id, O_CREAT);
	}
	if (fd < 0)
		return sys(e, fd, "lock of the instance");
	if (run_lock(fd, F_OFD_SETLK, F_WRLCK) < 0)
		return err_set(e, ERR_CONFLICT, "instance %.12s is running", id);
	return take_fd(&fd);
}

int instance_run_wait(int run_fd, const char *id, struct err *e)
{
	auto_fd int fd = open_run_lock(run_fd, id, 0);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return sys(e, fd, "lock of the instance");
	while (run_lock(fd, F_OFD_SETLKW, F_RDLCK) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock of the instance");
	return 0;
}

bool instance_alive(int run_fd, const char *id)
{
	auto_fd int fd = open_run_lock(run_fd, id, 0);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* A small document beside the record; absent is 0, read is 1.  dir: the instance's own, so that the
 * way there is walked once for all of them. */
static int read_doc(int dir, const char *name, const struct jbind *t, struct arena *a, void *out,
		    struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read_doc(dir, name, DOC_MAX, &text);
	int r;

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return sys(e, (int)n, name);
	r = jbind_parse(t, text, (size_t)n, out, a, name, e);
	return r < 0 ? r : 1;
}

/* The documents of one moment.  A start removes start.json, then exit.json, and writes start.json
 * anew; an end writes again.json, then exit.json.  So exit.json is read first: what is read behind
 * its absence belongs to this life. */
struct docs {
	struct instance_start start;
	struct instance_exit end;
	struct instance_again again;
	struct health_report health;
	int started, ended, asked, owed; /* 1: it is there */
};

static int read_docs(int dir, bool alive, struct arena *a, struct docs *d, struct err *e)
{
	*d = (struct docs){0};
	d->ended = read_doc(dir, "exit.json", &instance_exit_table, a, &d->end, e);
	if (d->ended < 0)
		return d->ended;
	d->started = read_doc(dir, "start.json", &instance_start_table, a, &d->start, e);
	if (d->started < 0)
		return d->started;
	/* Of one that runs it is being removed just now. */
	if (!alive || !d->started || d->ended)
		d->owed = read_doc(dir, "again.json", &instance_again_table, a, &d->again, e);
	if (d->owed < 0)
		return d->owed;
	if (d->start.health)
		d->asked = read_doc(dir, "health.json", &health_report_table, a, &d->health, e);
	return d->asked < 0 ? d->asked : 0;
}

/* Did it start or end while we read? */
static bool moved_on(int run_fd, const char *id, int dir, bool alive, const struct docs *d)
{
	if (d->ended)
		return !d->owed && faccessat(dir, "exit.json", F_OK, 0) < 0;
	/* Nobody would have seen its end: that is said only of what stays so. */
	return d->started && !alive &&
	       (instance_alive(run_fd, id) || faccessat(dir, "exit.json", F_OK, 0) == 0);
}

static void set_state(const struct docs *d, bool alive, bool paused, struct instance_state *s)
{
	*s = (struct instance_state){
	    .started_ns = d->start.started_ns,
	    .restarts = d->owed ? d->again.restarts : d->start.restarts,
	    .restart_wait_ms = d->owed ? d->again.wait_ms : 0,
	    .restarting = d->owed,
	    .health = d->asked ? d->health.status : -1,
	};
	if (d->ended) {
		s->status = INSTANCE_EXITED;
		s->finished_ns = d->end.finished_ns;
		s->exit_code = d->end.code;
		s->oom = d->end.oom;
		s->stopped = d->end.stopped;
		s->error = d->end.error;
	} else if (alive && d->started) {
		s->status = paused ? INSTANCE_PAUSED : INSTANCE_RUNNING;
		s->pid = d->start.pid;
		s->address = d->start.address;
	} else if (d->started) {
		s->status = INSTANCE_EXITED;
		s->unseen = true;
		s->exit_code = 255;
		s->error = "ended unseen: its monitor was killed or the host went down";
	}
	/* Also between two monitors, and while the next one starts. */
	if (d->owed && !s->pid && !s->unseen)
		s->status = INSTANCE_RESTARTING;
}

int instance_state(int root_fd, int run_fd, const char *id, struct arena *a,
		   struct instance_state *out, struct err *e)
{
	char path[PATH_LEN];
	auto_fd int dir = -1;
	struct docs d;
	bool alive;
	int r;

	snprintf(path, sizeof(path), "instances/%.64s", id);
	dir = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "no such instance: %.64s", id);
	if (dir < 0)
		return err_sys(e, "%s", path);
	/* Lives that end faster than they are read are told as they were seen last. */
	for (int i = 0; i < 20; i++) {
		/* Looked at before the files: a monitor writes exit.json and then lets go. */
		alive = instance_alive(run_fd, id);
		r = read_docs(dir, alive, a, &d, e);
		if (r < 0)
			return r;
		if (!moved_on(run_fd, id, dir, alive, &d))
			break;
	}
	snprintf(path, sizeof(path), "instances/%.64s/paused", id);
	set_state(&d, alive,
		  alive && d.started && !d.ended && faccessat(run_fd, path, F_OK, 0) == 0, out);
	return 0;
}

int instance_forget(int root_fd, const struct instance *i, struct err *e)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "instances/%.64s/record.json", i->id);
	if (unlinkat(root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove %.12s", i->id);
	if (i->name)
		drop_name(root_fd, i->id, i->name);
	return 0;
}

int instance_remove(int root_fd, int run_fd, const struct instance *i, struct err *e)
{
	auto_fd int all = subdir(root_fd, "instances");
	auto_fd int run_all = openat(run_fd, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = all < 0 ? sys(e, all, "instances") : instance_forget(root_fd, i, e);

	if (r < 0)
		return r;
	/* The directory goes last: while it is there, a sweep finds what a killed command left. */
	r = run_all < 0 ? 0 : path_remove(run_all, i->id);
	if (r < 0)
		return sys(e, r, "remove the instance's run directory");
	r = path_remove(all, i->id);
	return r < 0 ? sys(e, r, "remove the instance's directory") : 0;
}

struct sweep {
	int root_fd, run_fd;
	int (*gone)(const char *id, void *arg);
	void *arg;
};

static int sweep_one(const char *id, void *arg)
{
	const struct sweep *s = arg;
	struct instance i = {.id = id};
	auto_fd int lock = -1;
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "instances/%.64s/record.json", id);
	if (faccessat(s->root_fd, path, F_OK, 0) == 0)
		return 0;
	lock = instance_try_lock(s->root_fd, id, NULL);
	/* Committed since we looked, or still being made. */
	if (lock < 0 || faccessat(s->root_fd, path, F_OK, 0) == 0 || instance_alive(s->run_fd, id))
		return 0;
	if (s->gone(id, s->arg) == 0)
		instance_remove(s->root_fd, s->run_fd, &i, NULL);
	return 0;
}

/* What was being made under tmp/ when its maker was killed. */
static void sweep_tmp(int root_fd)
{
	int fd = openat(root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return;
	while ((de = readdir(d))) {
		const char *id = str_after(de->d_name, "volume-");
		auto_fd int lock = -1;

		if (!is_id(id ? id : de->d_name))
			continue;
		lock = openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
			path_remove(fd, de->d_name);
	}
	closedir(d);
}

int instance_sweep(int root_fd, int run_fd, int (*gone)(const char *id, void *arg), void *arg)
{
	struct sweep s = {root_fd, run_fd, gone, arg};

	sweep_tmp(root_fd);
	return instance_each(root_fd, sweep_one, &s, NULL);
}
