/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rdt.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define RESCTRL_MAGIC 0x7655821 /* RDTGROUP_SUPER_MAGIC */
#define SCHEMATA_MAX  65536

static const char *class_of(const struct plan_rdt *p, const char *id)
{
	return p->clos_id && *p->clos_id ? p->clos_id : id;
}

static bool is_class(const char *s)
{
	static const char *const taken[] = {"info", "mon_groups", "mon_data", ".", ".."};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (streq(s, taken[i]))
			return false;
	return *s && strlen(s) <= NAME_MAX && !strpbrk(s, "/\n");
}

static int check_line(const char *text, const char *where, struct err *e)
{
	if (text && strlen(text) > SCHEMATA_MAX / 4)
		return err_set(e, ERR_USAGE, "linux.intelRdt.%s: too long", where);
	return 0;
}

int rdt_check(const struct plan_rdt *p, struct err *e)
{
	int r = 0;

	if (p->clos_id && *p->clos_id && !is_class(p->clos_id))
		return err_set(e, ERR_USAGE, "linux.intelRdt.closID: '%s' is no name of a class",
			       p->clos_id);
	for (size_t i = 0; r == 0 && i < p->schemata.n; i++) {
		r = check_line(p->schemata.v[i], "schemata", e);
		if (r == 0 && !strchr(p->schemata.v[i], ':'))
			r = err_set(e, ERR_USAGE,
				    "linux.intelRdt.schemata[%zu]: wants RESOURCE:DOMAIN=VALUE", i);
	}
	if (r == 0)
		r = check_line(p->l3_schema, "l3CacheSchema", e);
	return r < 0 ? r : check_line(p->bw_schema, "memBwSchema", e);
}

int rdt_open(struct err *e)
{
	auto_fd int fd = open("/sys/fs/resctrl", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || mountfd_magic(fd) != RESCTRL_MAGIC)
		return err_set(e, ERR_UNSUPPORTED,
			       "linux.intelRdt: resctrl is not mounted at /sys/fs/resctrl");
	return take_fd(&fd);
}

static void add_lines(struct buf *b, const char *text, bool no_bandwidth)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		/* runc: what l3CacheSchema says of memory bandwidth does not count. */
		if (n && !(no_bandwidth && str_after(text, "MB:")))
			buf_printf(b, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static int schemata(const struct plan_rdt *p, struct buf *b, struct err *e)
{
	const bool bw = p->bw_schema && *p->bw_schema;

	add_lines(b, p->l3_schema, bw);
	add_lines(b, p->bw_schema, false);
	for (size_t i = 0; i < p->schemata.n; i++)
		add_lines(b, p->schemata.v[i], false);
	return buf_fail(b, "linux.intelRdt", e);
}

/* Is every line asked for among those that are there?  Both as the kernel writes them, but for
 * blanks before a line. */
static bool has_all(const char *have, const char *want)
{
	while (*want) {
		size_t n = strcspn(want, "\n");
		bool found = false;

		for (const char *h = have; !found && *h;) {
			size_t k;

			h += strspn(h, " \n");
			k = strcspn(h, "\n");
			found = k == n && strncmp(h, want, n) == 0;
			h += k;
		}
		if (!found)
			return false;
		want += n + (want[n] == '\n');
	}
	return true;
}

static int apply(int dir, const struct plan_rdt *p, bool made, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(SCHEMATA_MAX);
	auto_free char *have = NULL;
	int r = schemata(p, &b, e);

	if (r < 0 || !b.len)
		return r;
	if (made) {
		r = file_put(dir, "schemata", b.p);
		if (r < 0) {
			errno = -r;
			return err_sys(e,
				       "linux.intelRdt: write schemata (see info/last_cmd_status)");
		}
		return 0;
	}
	if (file_read(dir, "schemata", SCHEMATA_MAX, &have) < 0)
		return err_sys(e, "linux.intelRdt: read schemata");
	return has_all(have, b.p)
		   ? 0
		   : err_set(e, ERR_CONFLICT,
			     "linux.intelRdt: the class '%s' is there with other schemata",
			     p->clos_id);
}

static int class_open(int root, const char *name, struct err *e)
{
	int fd = path_open(root, name, O_RDONLY | O_DIRECTORY, 0, PATH_BENEATH | PATH_NO_LINKS);

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "linux.intelRdt: class '%s'", name);
	}
	return fd;
}

static int group_of(int dir, const char *id, char path[NAME_MAX + 32])
{
	snprintf(path, NAME_MAX + 32, "mon_groups/%s", id);
	return path_open(dir, path, O_RDONLY | O_DIRECTORY, 0, PATH_BENEATH | PATH_NO_LINKS);
}

int rdt_create(int root, const struct plan_rdt *p, const char *id, bool *made, struct err *e)
{
	const char *name = class_of(p, id);
	char path[NAME_MAX + 32];
	auto_fd int dir = -1;
	int r;

	if (!is_class(name))
		return err_set(e, ERR_USAGE, "linux.intelRdt: '%s' is no name of a class", name);
	*made = mkdirat(root, name, 0755) == 0;
	if (!*made && errno != EEXIST)
		return err_sys(e, "linux.intelRdt: make the class '%s'", name);
	dir = class_open(root, name, e);
	r = dir < 0 ? dir : apply(dir, p, *made, e);
	if (r == 0 && p->enable_monitoring) {
		snprintf(path, sizeof(path), "mon_groups/%s", id);
		if (mkdirat(dir, path, 0755) < 0 && errno != EEXIST)
			r = err_sys(e, "linux.intelRdt.enableMonitoring: make '%s'", path);
	}
	if (r < 0)
		rdt_remove(root, p, id, *made);
	return r;
}

int rdt_join(int root, const struct plan_rdt *p, const char *id, pid_t pid, struct err *e)
{
	auto_fd int dir = class_open(root, class_of(p, id), e), group = -1;
	char text[16], path[NAME_MAX + 32];
	int r;

	if (dir < 0)
		return dir;
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = file_put(dir, "tasks", text);
	if (r == 0 && p->enable_monitoring) {
		group = group_of(dir, id, path);
		r = group < 0 ? group : file_put(group, "tasks", text);
	}
	if (r < 0) {
		errno = -r;
		return err_sys(e, "linux.intelRdt: put process %s in", text);
	}
	return 0;
}

int rdt_update(int root, const struct plan_rdt *p, const char *id, struct err *e)
{
	auto_fd int dir = class_open(root, class_of(p, id), e);

	return dir < 0 ? dir : apply(dir, p, true, e);
}

void rdt_remove(int root, const struct plan_rdt *p, const char *id, bool made)
{
	char path[2 * NAME_MAX + 32];

	if (p->enable_monitoring) {
		snprintf(path, sizeof(path), "%s/mon_groups/%s", class_of(p, id), id);
		unlinkat(root, path, AT_REMOVEDIR);
	}
	if (made)
		unlinkat(root, class_of(p, id), AT_REMOVEDIR);
}
