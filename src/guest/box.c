/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/box.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "files/copyin.h"
#include "guest/guestfiles.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define RW     "/run/caisson/rw"
#define IMAGES RW "/images"
#define BOXES  RW "/boxes"
#define ROOTS  "/run/caisson/roots"
#define HEX    64

/* Names become parts of paths. */
static bool is_hex(const char *s)
{
	return s && strlen(s) == HEX && strspn(s, "0123456789abcdef") == HEX;
}

static int make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", path);
	return 0;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- the plan ---- */

static int namespaces(struct plan *p, pid_t pid, struct arena *a, struct err *e)
{
	struct plan_namespaces *l = &p->linux_->namespaces;

	for (size_t i = 0; i < l->n; i++) {
		const char *type = l->v[i].type;

		if (!l->v[i].path || !streq(l->v[i].path, "@main"))
			continue;
		if (!streq(type, "ipc") && !streq(type, "uts") && !streq(type, "pid"))
			return err_set(e, ERR_USAGE, "namespace '%s' of the machine", type);
		l->v[i].path = arena_printf(a, "/proc/%d/ns/%s", (int)pid, type);
	}
	return 0;
}

static const char *place(const struct plan *main_plan, const char *destination)
{
	const struct plan_mounts *l = &main_plan->mounts;

	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].destination, destination) && l->v[i].source &&
		    *l->v[i].source == '/')
			return l->v[i].source;
	return NULL;
}

static int shm(struct box *b, pid_t pid, struct err *e)
{
	char path[64];
	auto_fd int ns = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	b->shm = ns < 0 ? -errno : mountfd_clone_there(ns, "/dev/shm");
	if (b->shm >= 0)
		return 0;
	errno = -b->shm;
	b->shm = -1;
	return err_sys(e, "/dev/shm of the machine");
}

static int mounts(struct box *b, const struct plan *main_plan, pid_t pid, struct err *e)
{
	struct plan_mounts *l = &b->plan->mounts;

	for (size_t i = 0; i < l->n; i++) {
		struct plan_mount *m = &l->v[i];
		const char *at = m->source ? str_after(m->source, "@main:") : NULL;

		if (at) {
			m->source = place(main_plan, at);
			if (!m->source)
				return err_set(e, ERR_NOT_FOUND,
					       "the machine has nothing mounted at '%s'", at);
		} else if (m->source && streq(m->source, "@shm")) {
			int r = shm(b, pid, e);

			if (r < 0)
				return r;
			m->source = arena_printf(&b->arena, "/proc/self/fd/%d", b->shm);
		}
	}
	return 0;
}

/* ---- the root ---- */

static int mount_root(struct plan *p, struct arena *a, struct err *e)
{
	const char *id = p->caisson->id, *hex = p->caisson->box_image;
	const char *lower = arena_printf(a, IMAGES "/%s", hex);
	const char *own = arena_printf(a, BOXES "/%s", id);
	const char *upper = arena_printf(a, "%s/upper", own),
		   *work = arena_printf(a, "%s/work", own);
	struct stat st;
	int r;

	if (!is_dir(lower))
		return err_set(e, ERR_NOT_FOUND, "the image is not in the machine");
	p->root->path = arena_printf(a, ROOTS "/%s", id);
	if ((r = make_dir(BOXES, e)) < 0 || (r = make_dir(own, e)) < 0 ||
	    (r = make_dir(upper, e)) < 0 || (r = make_dir(work, e)) < 0 ||
	    (r = make_dir(ROOTS, e)) < 0 || (r = make_dir(p->root->path, e)) < 0)
		return r;
	/* upper carries the mode and owner that the root directory shows. */
	if (stat(lower, &st) < 0 || chown(upper, st.st_uid, st.st_gid) < 0 ||
	    chmod(upper, st.st_mode & 07777) < 0)
		return err_sys(e, "attributes of the root directory");
	if (mount("overlay", p->root->path, "overlay", 0,
		  arena_printf(a, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)) < 0)
		return err_sys(e, "mount the root's overlay");
	return 0;
}

int box_open(struct box *b, const char *text, const struct plan *main_plan, pid_t main_pid,
	     struct err *e)
{
	struct plan *p;
	int r;

	*b = (struct box){.shm = -1};
	r = plan_parse(text, strlen(text), "plan", &b->arena, &p, e);
	if (r == 0 && (!p->process || !p->linux_ || !p->root || !p->caisson ||
		       !is_hex(p->caisson->id) || !is_hex(p->caisson->box_image)))
		r = err_set(e, ERR_USAGE, "plan of a container without its parts");
	if (r == 0) {
		b->plan = p;
		r = namespaces(p, main_pid, &b->arena, e);
	}
	if (r == 0)
		r = mounts(b, main_plan, main_pid, e);
	if (r == 0)
		r = mount_root(p, &b->arena, e);
	if (r < 0)
		box_close(b);
	return r;
}

void box_close(struct box *b)
{
	if (b->plan && b->plan->root->path && str_after(b->plan->root->path, ROOTS "/")) {
		umount2(b->plan->root->path, MNT_DETACH);
		rmdir(b->plan->root->path);
	}
	fd_close(b->shm);
	arena_free(&b->arena);
	*b = (struct box){.shm = -1};
}

/* ---- requests ---- */

static int have(const char *hex, struct err *e)
{
	char path[sizeof(IMAGES) + HEX + 1];

	snprintf(path, sizeof(path), IMAGES "/%s", hex);
	return is_dir(path) ? 0 : err_set(e, ERR_NOT_FOUND, "no such image in the machine");
}

/* Under another name until it is whole: a machine that is cut off has half of none. */
static int take_image(const char *hex, struct err *e)
{
	struct copyin_opts co = {.kind = COPYIN_RAW, .path = "/", .archive = true};
	char path[sizeof(IMAGES) + HEX + 1], part[sizeof(path) + 32];
	auto_fd int dir = -1;
	uint64_t bytes;
	int r;

	snprintf(path, sizeof(path), IMAGES "/%s", hex);
	snprintf(part, sizeof(part), "%s.%d", path, (int)getpid());
	r = make_dir(IMAGES, e);
	if (r == 0)
		r = make_dir(part, e);
	if (r < 0)
		return r;
	dir = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "%s", part);
	r = copyin_run(dir, &co, STDIN_FILENO, &bytes, e);
	/* Somebody else may have sent it meanwhile. */
	if (r == 0 && rename(part, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		r = err_sys(e, "%s", path);
	if (r < 0 || is_dir(part))
		path_remove(AT_FDCWD, part);
	return r;
}

static int drop(const char *id, struct err *e)
{
	char path[sizeof(BOXES) + HEX + 1];
	int r;

	snprintf(path, sizeof(path), BOXES "/%s", id);
	r = is_dir(path) ? path_remove(AT_FDCWD, path) : 0;
	errno = r < 0 ? -r : 0;
	return r < 0 ? err_sys(e, "files of the container") : 0;
}

bool box_unknown(const struct strs *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (streq(words->v[i], "--changes") || streq(words->v[i], "--layer"))
			return true;
	return false;
}

struct request {
	int (*fn)(const char *what, struct err *e);
	const char *what;
};

static int work(void *arg, struct err *e)
{
	const struct request *q = arg;

	return q->fn(q->what, e);
}

int box_files(const struct strs *words, const int child[3], struct launch *out, struct err *e)
{
	static const struct {
		const char *word;
		int (*fn)(const char *what, struct err *e);
	} known[] = {{"--box-have", have}, {"--box-image", take_image}, {"--box-drop", drop}};

	for (size_t i = 0; words->n && i < sizeof(known) / sizeof(known[0]); i++) {
		struct request q = {known[i].fn, words->n == 2 ? words->v[1] : NULL};
		int r;

		if (!streq(words->v[0], known[i].word))
			continue;
		if (!is_hex(q.what))
			return err_set(e, ERR_USAGE, "%s wants 64 hex digits", words->v[0]);
		r = guestfiles_child(work, &q, child, out, e);
		return r < 0 ? r : 1;
	}
	return 0;
}
