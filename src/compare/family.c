/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/family.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct proc {
	pid_t pid, parent;
	bool below;
	char comm[32];
};

struct procs {
	struct proc *v;
	size_t n, cap;
};

static void add(struct procs *all, int proc_fd, const char *name)
{
	auto_free char *text = NULL;
	struct proc p = {.pid = (pid_t)strtol(name, NULL, 10)};
	const char *open_, *close_;
	char path[NAME_MAX + sizeof("/stat")];

	snprintf(path, sizeof(path), "%s/stat", name);
	if (file_read(proc_fd, path, 4096, &text) < 0)
		return; /* ended meanwhile */
	/* The name in parentheses may hold anything, so its end is the last one. */
	open_ = strchr(text, '(');
	close_ = strrchr(text, ')');
	if (!open_ || !close_ || sscanf(close_ + 1, " %*c %d", &p.parent) != 1)
		return;
	snprintf(p.comm, sizeof(p.comm), "%.*s", (int)(close_ - open_ - 1), open_ + 1);
	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 256;
		all->v = realloc(all->v, all->cap * sizeof(*all->v));
		if (!all->v)
			abort();
	}
	all->v[all->n++] = p;
}

static void mark(struct procs *all, pid_t top)
{
	bool more = true;

	/* At most as many passes as the tree is deep. */
	while (more) {
		more = false;
		for (size_t i = 0; i < all->n; i++) {
			if (all->v[i].below)
				continue;
			for (size_t j = 0; j < all->n && !all->v[i].below; j++)
				all->v[i].below =
				    all->v[i].parent == top ||
				    (all->v[j].below && all->v[j].pid == all->v[i].parent);
			more |= all->v[i].below;
		}
	}
}

static int pss(int proc_fd, pid_t pid, uint64_t *bytes, struct err *e)
{
	auto_free char *text = NULL;
	char path[64];
	const char *at;
	uint64_t kib;
	ssize_t r;

	snprintf(path, sizeof(path), "%d/smaps_rollup", pid);
	r = file_read(proc_fd, path, 1 << 16, &text);
	if (r == -ESRCH || r == -ENOENT) {
		*bytes = 0;
		return 0;
	}
	if (r < 0) {
		errno = (int)-r;
		return err_sys(e, "/proc/%s", path);
	}
	at = strstr(text, "\nPss:");
	if (!at || sscanf(at, " Pss: %" SCNu64, &kib) != 1)
		return err_set(e, ERR_UNSUPPORTED, "/proc/%s has no Pss", path);
	*bytes = kib << 10;
	return 0;
}

static bool same_pid_ns(int proc_fd, pid_t pid)
{
	struct stat a, b;
	char path[64];

	snprintf(path, sizeof(path), "%d/ns/pid", pid);
	return fstatat(proc_fd, path, &a, 0) < 0 || fstatat(proc_fd, "self/ns/pid", &b, 0) < 0 ||
	       a.st_ino == b.st_ino;
}

/* QEMU, file servers and ways out are jailed in namespaces of their own, and still the engine's. */
static bool helper(const char *comm)
{
	static const char *const names[] = {"virtiofsd", "pasta", "passt", "slirp4netns"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_after(comm, names[i]))
			return true;
	return false;
}

static int sum(int proc_fd, const struct proc *p, struct family *t, struct err *e)
{
	uint64_t bytes = 0;
	int r = pss(proc_fd, p->pid, &bytes, e);

	if (r < 0)
		return r;
	t->processes++;
	t->pss_bytes += bytes;
	if (str_after(p->comm, "qemu-system"))
		t->qemu = p->pid;
	if (t->qemu == p->pid || helper(p->comm) || same_pid_ns(proc_fd, p->pid))
		t->engine_pss_bytes += bytes;
	else if (!t->inside || str_after(p->comm, "caisson-workl"))
		t->inside = p->pid;
	return 0;
}

/* Every process there is; .v is the caller's to free. */
static int list(DIR *d, struct procs *all, struct err *e)
{
	struct dirent *de;

	if (!d)
		return err_sys(e, "/proc");
	while ((de = readdir(d)))
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9')
			add(all, dirfd(d), de->d_name);
	return 0;
}

static uid_t owner(DIR *d, pid_t pid)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%d", pid);
	return fstatat(dirfd(d), name, &st, 0) < 0 ? FAMILY_NOBODY : st.st_uid;
}

int family_measure(pid_t top, pid_t except, uid_t but, struct family *out, struct err *e)
{
	DIR *d = opendir("/proc");
	struct procs all = {0};
	struct family t = {0};
	int r = list(d, &all, e);

	if (r < 0)
		return r;
	mark(&all, top);
	for (size_t i = 0; i < all.n && r == 0; i++)
		if (all.v[i].below && all.v[i].pid != except &&
		    (but == FAMILY_NOBODY || owner(d, all.v[i].pid) != but))
			r = sum(dirfd(d), &all.v[i], &t, e);
	free(all.v);
	closedir(d);
	if (r == 0)
		*out = t;
	return r;
}

int family_add(pid_t pid, struct family *out, struct err *e)
{
	DIR *d = opendir("/proc");
	struct procs all = {0};
	int r = list(d, &all, e);

	if (r < 0)
		return r;
	mark(&all, pid);
	for (size_t i = 0; i < all.n && r == 0; i++)
		if (all.v[i].below || all.v[i].pid == pid)
			r = sum(dirfd(d), &all.v[i], out, e);
	free(all.v);
	closedir(d);
	return r;
}

pid_t family_parent(pid_t pid)
{
	DIR *d = opendir("/proc");
	struct procs all = {0};
	char name[16];

	if (!d)
		return 0;
	snprintf(name, sizeof(name), "%d", pid);
	add(&all, dirfd(d), name);
	closedir(d);
	pid = all.n ? all.v[0].parent : 0;
	free(all.v);
	return pid;
}

uint64_t family_named(const char *name)
{
	DIR *d = opendir("/proc");
	struct procs all = {0};
	struct family t = {0};

	if (list(d, &all, NULL) < 0)
		return 0;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].comm, name))
			sum(dirfd(d), &all.v[i], &t, NULL);
	free(all.v);
	closedir(d);
	return t.pss_bytes;
}

void family_end(pid_t top, uid_t uid)
{
	DIR *d = opendir("/proc");
	struct procs all = {0};

	if (list(d, &all, NULL) < 0)
		return;
	mark(&all, top);
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].below && owner(d, all.v[i].pid) == uid)
			kill(all.v[i].pid, SIGKILL);
	free(all.v);
	closedir(d);
}
