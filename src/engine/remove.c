/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/remove.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/inmachine.h"
#include "engine/lookup.h"
#include "engine/pod.h"
#include "engine/request.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "engine/snapshot_take.h"
#include "engine/volume_ctl.h"
#include "net/aside.h"
#include "net/attach.h"
#include "spec/policy.h"
#include "store/idpool.h"
#include "store/instance.h"
#include "store/rootfs.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/volume.h"
#include "sys/child.h"
#include "sys/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define END_TRIES 12000 /* a minute */

/* The cgroup of an instance whose monitor did not live to remove it.  The runtime is not ours to
 * call (layers.txt): its program does it. */
static void clean_cgroup(struct session *s, const char *id)
{
	char *path = NULL;
	int status;

	if (asprintf(&path, "%s/caisson-monitor", s->libexec) < 0)
		abort();
	struct child_opts o = {.path = path,
			       .argv = (const char *const[]){path, "--cleanup", id, "--run-root",
							     store_run_path(s->store), NULL}};
	pid_t pid = child_start(&o);

	if (pid > 0)
		child_wait(pid, &status);
	free(path);
}

/* What is left of an instance that nobody can find any more.  The caller holds its lock. */
static int remove_rest(struct session *s, const struct instance *i, struct err *e)
{
	int r = rootfs_remove(s->store, i->id, e);

	if (r < 0)
		return r;
	idpool_free(s->store, i->id);
	return instance_remove(store_root_fd(s->store), store_run_fd(s->store), i, e);
}

/* Ports may be what the next command wants. */
static bool has_ports(struct session *s, const struct instance *i)
{
	char path[96];

	snprintf(path, sizeof(path), "instances/%.64s/ports", i->id);
	return faccessat(store_root_fd(s->store), path, F_OK, 0) == 0;
}

/* In a process of its own, which has our hold of the instance's lock.  A kill -9 of it leaves what
 * every command sweeps: a directory without record, an attachment without instance. */
static void remove_later(struct session *s, const struct instance *i, bool net)
{
	pid_t pid = fork();
	int fd;

	if (pid > 0)
		return;
	if (pid == 0) {
		/* Not in the way of who waits for the end of the command's output. */
		setsid();
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int k = 0; fd >= 0 && k < 3; k++)
			dup2(fd, k);
	}
	remove_rest(s, i, NULL);
	if (net)
		attach_remove(store_run_fd(s->store), i->id, NULL);
	if (pid == 0)
		_exit(0);
}

/* One that another instance uses, too (its name can be had from inspect), stays for that one. */
static int drop_anonymous(struct session *s, const struct instance *i, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int lock = -1;
	int r = 0;

	for (size_t k = 0; r == 0 && k < i->mounts.n; k++) {
		const struct instance_mount *m = &i->mounts.v[k];
		struct strs users = {0};

		if (!streq(m->type, "volume") || !m->anonymous)
			continue;
		if (lock < 0)
			r = lock = store_lock(s->store, STORE_EXCLUSIVE, e);
		if (r >= 0)
			r = volume_ctl_users(s->store, m->name, i->id, &a, &users, e);
		if (r == 0 && !users.n)
			r = volume_remove(store_root_fd(s->store), m->name, e);
		if (r == 0 && !users.n)
			eventlog_thing(s->store, "volume", "destroy", m->name, NULL);
	}
	return r < 0 ? r : 0;
}

/* The caller holds the instance's lock and no monitor lives.  With REMOVE_SOON only what others can
 * see is waited for: undoing a network is mostly the kernel's wait for a grace period
 * (net/attach.h), and freeing inodes on a disk that is told of each (mount option discard) took 0.2
 * to 5 ms apiece. */
static int remove_locked(struct session *s, const struct instance *i, unsigned int flags,
			 struct err *e)
{
	int root = store_root_fd(s->store), run = store_run_fd(s->store);
	bool soon = flags & REMOVE_SOON;
	bool net = soon && !aside_needed(run) && !has_ports(s, i);
	int r = net ? 0 : attach_remove(run, i->id, e);

	if (r == 0 && (flags & REMOVE_VOLUMES))
		r = drop_anonymous(s, i, e);
	if (r == 0)
		r = soon ? instance_forget(root, i, e) : remove_rest(s, i, e);
	if (r == 0)
		eventlog_instance(s->store, i, "destroy", NULL, NULL);
	if (r == 0)
		inmachine_drop(s, i);
	for (size_t k = 0; r == 0 && k < i->labels.n; k++)
		if (str_after(i->labels.v[k], SNAPSHOT_LABEL "="))
			snapshot_take_drop(s, i->image_id);
	if (r == 0 && soon)
		remove_later(s, i, net);
	return r;
}

/* Is it to run all the same?  Then the debt is written, as its monitor would have. */
static void owe_start(struct session *s, const char *id, const struct instance_state *st, int dir)
{
	auto_arena struct arena a = ARENA_INIT;
	struct policy_end end = {.code = st->exit_code, .restarts = st->restarts};
	struct request q = {0};
	struct policy p = {0};
	struct instance i;
	char text[64];
	int n;

	if (instance_load(store_root_fd(s->store), id, &a, &i, NULL) < 0 ||
	    jbind_parse(&request_table, i.request, strlen(i.request), &q, &a, "request", NULL) <
		0 ||
	    policy_parse(q.restart, &p, NULL) < 0 || !policy_again(&p, &end))
		return;
	n = snprintf(text, sizeof(text), "{\"restarts\":%lld}", (long long)st->restarts + 1);
	file_replace(dir, "again.json", text, (size_t)n, 0600, FILE_LAZY);
}

/* There is no monitor, and the last one did not live to take its socket away, which it makes before
 * anything else.  True for long only under the instance's lock. */
static bool monitor_died(struct session *s, const char *id)
{
	char path[96];

	snprintf(path, sizeof(path), "instances/%.64s/ctl", id);
	return !instance_alive(store_run_fd(s->store), id) &&
	       faccessat(store_run_fd(s->store), path, F_OK, 0) == 0;
}

static void forget_monitor(struct session *s, const char *id)
{
	char path[96];

	snprintf(path, sizeof(path), "instances/%.64s/ctl", id);
	unlinkat(store_run_fd(s->store), path, 0);
}

void remove_traces(struct session *s, const char *id)
{
	static const char unknown[] =
	    "{\"code\":255,\"error\":\"ended unseen: its monitor was killed or the host went "
	    "down\"}";
	auto_arena struct arena a = ARENA_INIT;
	struct instance_state st;
	auto_fd int dir = -1;
	char path[96];

	if (instance_state(store_root_fd(s->store), store_run_fd(s->store), id, &a, &st, NULL) <
		0 ||
	    (!st.unseen && !monitor_died(s, id)))
		return;
	clean_cgroup(s, id);
	/* It died before there was a process, or after its end was written. */
	forget_monitor(s, id);
	if (!st.unseen)
		return;
	snprintf(path, sizeof(path), "instances/%.64s", id);
	dir = openat(store_root_fd(s->store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		owe_start(s, id, &st, dir);
	/* The record stays "unseen" when this fails, and the next command tries again. */
	if (dir >= 0)
		file_replace(dir, "exit.json", unknown, sizeof(unknown) - 1, 0600, FILE_LAZY);
}

/* Under its lock: nobody becomes a member meanwhile. */
static int check_pod(struct session *s, const struct instance *i, unsigned int flags, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookups members;
	int r = pod_members(s, i->id, &a, &members, e);

	if (r == 0 && !(flags & REMOVE_POD))
		r = err_set(e, ERR_CONFLICT, "cannot remove instance '%s': it is a pod (pod rm)",
			    i->name);
	if (r == 0 && members.n)
		r = err_set(e, ERR_CONFLICT, "cannot remove pod '%s': instance '%s' is in it",
			    i->name, members.v[0].i.name);
	return r;
}

/* Its end may come meanwhile, and one that only just started hears nobody yet: asked until it has
 * heard, waited for until it is gone. */
int remove_end(struct session *s, const char *id, struct err *e)
{
	struct control_stop now = {.signal = SIGKILL, .discard = true};
	int run = store_run_fd(s->store);

	for (int n = 0; instance_alive(run, id); n++) {
		struct err ignored = ERR_INIT;

		if (n == END_TRIES)
			return err_set(e, ERR_TIMEOUT, "instance %.12s does not end", id);
		if (conn_stop(s, id, &now, &ignored) >= 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	return instance_run_wait(run, id, e);
}

int remove_instance(struct session *s, const struct instance *i, unsigned int flags, struct err *e)
{
	struct store *store;
	auto_fd int lock = -1;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	lock = instance_lock(store_root_fd(store), i->id, e);
	if (lock < 0)
		return lock;
	r = pod_is(i) ? check_pod(s, i, flags, e) : 0;
	if (r < 0)
		return r;
	if (instance_alive(store_run_fd(store), i->id)) {
		auto_arena struct arena a = ARENA_INIT;
		struct instance_state st;

		r = instance_state(store_root_fd(store), store_run_fd(store), i->id, &a, &st, e);
		if (r < 0)
			return r;
		if (st.status != INSTANCE_EXITED && !(flags & REMOVE_FORCE))
			return err_set(e, ERR_CONFLICT,
				       "cannot remove instance '%s': it is running; stop it before "
				       "removing, or use --force",
				       i->name);
		r = remove_end(s, i->id, e);
		if (r < 0)
			return r;
	}
	remove_traces(s, i->id);
	return remove_locked(s, i, flags, e);
}

int remove_ended(struct session *s, const char *id, unsigned int flags, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct instance i;
	struct store *store;
	auto_fd int lock = -1;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = instance_run_wait(store_run_fd(store), id, e);
	if (r < 0)
		return r;
	lock = instance_lock(store_root_fd(store), id, e);
	/* Removed already by somebody who was faster. */
	if (lock < 0)
		return lock == -ENOENT ? 0 : lock;
	if (instance_alive(store_run_fd(store), id))
		return 0;
	r = instance_load(store_root_fd(store), id, &a, &i, e);
	if (r < 0)
		return r;
	remove_traces(s, id);
	if (i.auto_remove)
		return remove_locked(s, &i, flags | REMOVE_VOLUMES, e);
	return attach_remove(store_run_fd(store), id, e);
}

/* ---- leftovers ---- */

static int gone(const char *id, void *arg)
{
	struct session *s = arg;

	attach_remove(store_run_fd(s->store), id, NULL);
	clean_cgroup(s, id);
	return rootfs_remove(s->store, id, NULL);
}

/* An instance that somebody is just starting holds its directory's lock, or its monitor's. */
static bool in_use(const char *id, void *arg)
{
	struct session *s = arg;
	auto_fd int lock = -1;

	if (instance_alive(store_run_fd(s->store), id))
		return true;
	lock = instance_try_lock(store_root_fd(s->store), id, NULL);
	return lock == -EBUSY;
}

static void ended_unseen(struct session *s, const char *id, const struct instance_state *st)
{
	bool died = st->status == INSTANCE_CREATED && monitor_died(s, id);

	if ((st->unseen || died) && !in_use(id, s))
		remove_ended(s, id, 0, NULL);
	if ((st->unseen || st->restarting) && !in_use(id, s))
		restart_owed(s, id, NULL);
}

static int look_at(const char *id, void *arg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct session *s = arg;
	struct instance_state st;

	if (instance_state(store_root_fd(s->store), store_run_fd(s->store), id, &a, &st, NULL) == 0)
		ended_unseen(s, id, &st);
	return 0;
}

struct users {
	struct session *s;
	const char **running; /* ids, sorted */
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Who ran a moment ago is not asked again; who ends meanwhile is found by the next command. */
static bool attached_in_use(const char *id, void *arg)
{
	const struct users *u = arg;

	return (u->n && bsearch(&id, u->running, u->n, sizeof(*u->running), by_id)) ||
	       in_use(id, u->s);
}

static void sweep_attached(struct session *s, const struct lookups *seen)
{
	auto_arena struct arena a = ARENA_INIT;
	struct users u = {.s = s};

	if (seen && seen->n) {
		u.running = arena_array(&a, seen->n, sizeof(*u.running));
		for (size_t i = 0; i < seen->n; i++)
			if (seen->v[i].state.pid)
				u.running[u.n++] = seen->v[i].i.id;
		qsort(u.running, u.n, sizeof(*u.running), by_id);
	}
	attach_sweep(store_run_fd(s->store), attached_in_use, &u, NULL);
}

static int count(const char *id, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

void remove_leftovers(struct session *s, const struct lookups *seen)
{
	struct store *store;
	size_t there = 0;

	if (session_store(s, &store, NULL) < 0)
		return;
	/* As many directories as records: none is half-made. */
	if (seen)
		instance_each(store_root_fd(store), count, &there, NULL);
	if (!seen || there != seen->n)
		instance_sweep(store_root_fd(store), store_run_fd(store), gone, s);
	if (!seen)
		instance_each(store_root_fd(store), look_at, s, NULL);
	for (size_t i = 0; seen && i < seen->n; i++)
		ended_unseen(s, seen->v[i].i.id, &seen->v[i].state);
	sweep_attached(s, seen);
}
