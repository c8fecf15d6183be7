/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/devspec.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "spec/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEVICES_MAX 4096 /* all of a large host's /dev */
#define DEPTH_MAX   8
#define MAJOR_MAX   0xfff
#define MINOR_MAX   0xfffff

struct out {
	const struct request *q;
	struct arena *a;
	struct plan_devices *devices;
	struct plan_device_rules *rules;
	const char *said, *access;
};

static struct plan_device_rule *add_rule(struct out *o)
{
	struct plan_device_rules *l = o->rules;
	struct plan_device_rule *v = arena_array(o->a, l->n + 1, sizeof(*v));

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	v[l->n] = (struct plan_device_rule){.allow = true};
	return &v[l->n++];
}

/* Devices of every kernel: null, zero, full, random, urandom. */
static bool is_virtual(const struct stat *st)
{
	unsigned int n = minor(st->st_rdev);

	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
	       (n == 3 || n == 5 || n == 7 || n == 8 || n == 9);
}

static int add_node(struct out *o, const struct stat *st, const char *host, const char *inside,
		    struct err *e)
{
	struct plan_devices *l = o->devices;
	struct plan_device *v;
	struct plan_device_rule *rule;

	if (o->q->isolation == PLAN_VM && !is_virtual(st))
		return err_set(e, ERR_UNSUPPORTED,
			       "--device '%.80s' is not possible with --isolation vm: it is "
			       "hardware of the host, and the guest has its own",
			       o->said);
	if (l->n == DEVICES_MAX)
		return err_set(e, ERR_LIMIT, "--device '%.80s': more than %d devices", o->said,
			       DEVICES_MAX);
	v = arena_array(o->a, l->n + 1, sizeof(*v));
	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	v[l->n++] = (struct plan_device){
	    .path = inside,
	    .source = host,
	    .type = S_ISBLK(st->st_mode) ? "b" : "c",
	    .major = major(st->st_rdev),
	    .minor = minor(st->st_rdev),
	    .file_mode = {true, st->st_mode & 0777},
	    .uid = {true, st->st_uid},
	    .gid = {true, st->st_gid},
	};
	if (o->q->privileged) /* everything is allowed */
		return 0;
	rule = add_rule(o);
	rule->type = v[l->n - 1].type;
	rule->major = (struct jbind_optint){true, major(st->st_rdev)};
	rule->minor = (struct jbind_optint){true, minor(st->st_rdev)};
	rule->access = o->access;
	return 0;
}

/* What an instance has of its own in /dev. */
static bool made_by_us(const char *name)
{
	static const char *const names[] = {"pts",  "shm",  "mqueue", "console", "ptmx",   "tty",
					    "null", "zero", "full",   "random",	 "urandom"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (streq(name, names[i]))
			return true;
	return false;
}

/* Every device below a directory, as docker does for /dev/snd; links in it are not followed. */
static int add_directory(struct out *o, const char *host, const char *inside, int depth,
			 struct err *e)
{
	DIR *d = opendir(host);
	struct dirent *ent;
	int r = 0;

	if (!d)
		return err_sys(e, "--device '%.80s'", host);
	while (r == 0 && depth < DEPTH_MAX && (ent = readdir(d))) {
		const char *from = arena_printf(o->a, "%s/%s", host, ent->d_name);
		const char *to = arena_printf(o->a, "%s/%s", inside, ent->d_name);
		struct stat st;

		if (streq(ent->d_name, ".") || streq(ent->d_name, "..") || lstat(from, &st) < 0 ||
		    (streq(host, "/dev") && made_by_us(ent->d_name)))
			continue;
		if (S_ISDIR(st.st_mode))
			r = add_directory(o, from, to, depth + 1, e);
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = add_node(o, &st, from, to, e);
	}
	closedir(d);
	return r;
}

static bool is_access(const char *s)
{
	return *s && strlen(s) <= 3 && !s[strspn(s, "rwm")];
}

/* The second part is an access when it looks like one. */
int devspec_parse(const char *said, struct arena *a, struct devspec *out, struct err *e)
{
	const char *rest = strchr(said, ':');
	struct devspec d = {.access = "rwm"};

	d.host = d.inside = rest ? arena_dupn(a, said, (size_t)(rest - said)) : said;
	if (rest && is_access(rest + 1)) {
		d.access = rest + 1;
	} else if (rest) {
		const char *second = strchr(rest + 1, ':');

		d.inside = second ? arena_dupn(a, rest + 1, (size_t)(second - rest - 1)) : rest + 1;
		if (second)
			d.access = second + 1;
	}
	if (!is_access(d.access))
		return err_set(e, ERR_USAGE,
			       "--device '%.80s': access is made of r, w and m, not '%.20s'", said,
			       d.access);
	if (*d.host != '/' && strchr(d.host, '='))
		return err_set(e, ERR_UNSUPPORTED,
			       "--device '%.80s': CDI names are not possible, give the nodes' "
			       "paths",
			       said);
	if (*d.host != '/' || *d.inside != '/' || strstr(d.inside, "/.."))
		return err_set(e, ERR_USAGE, "--device '%.80s': wants absolute paths", said);
	*out = d;
	return 0;
}

static int one_device(struct out *o, struct err *e)
{
	struct devspec d;
	struct stat st;
	int r = devspec_parse(o->said, o->a, &d, e);

	if (r < 0)
		return r;
	o->access = d.access;
	if (stat(d.host, &st) < 0)
		return err_sys(e, "--device '%.80s'", d.host);
	if (S_ISDIR(st.st_mode))
		return add_directory(o, d.host, d.inside, 0, e);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ERR_USAGE, "--device '%.80s' is no device", d.host);
	return add_node(o, &st, d.host, d.inside, e);
}

/* "12" or "*"; *end behind it. */
static bool number(const char *s, int64_t max, struct jbind_optint *out, const char **end)
{
	char *stop;

	if (*s == '*') {
		*end = s + 1;
		return true;
	}
	if (*s < '0' || *s > '9')
		return false;
	*out = (struct jbind_optint){true, strtol(s, &stop, 10)};
	*end = stop;
	return out->v <= max;
}

/* "c 10:* rw".  Source: docker/cli, opts validation "^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$".
 */
static int one_rule(struct out *o, struct err *e)
{
	struct plan_device_rule x = {.allow = true};
	const char *p = o->said;
	bool ok = *p && strchr("acb", *p) && p[1] == ' ';

	x.type = arena_dupn(o->a, p, 1);
	ok = ok && number(p + 2, MAJOR_MAX, &x.major, &p) && *p++ == ':' &&
	     number(p, MINOR_MAX, &x.minor, &p) && *p++ == ' ' && is_access(p);
	x.access = ok ? arena_dup(o->a, p) : NULL;
	if (!ok)
		return err_set(e, ERR_USAGE,
			       "--device-cgroup-rule '%.60s': wants such as 'c 10:200 rwm'",
			       o->said);
	*add_rule(o) = x;
	return 0;
}

int devspec_build(const struct request *q, struct arena *a, struct plan_devices *devices,
		  struct plan_device_rules *rules, struct err *e)
{
	struct out o = {.q = q, .a = a, .devices = devices, .rules = rules, .access = "rwm"};
	int r = 0;

	/* A privileged VM may do what it likes with the guest's devices, of which it has few. */
	if (q->privileged && q->isolation != PLAN_VM)
		r = add_directory(&o, "/dev", "/dev", 0, e);

	for (size_t i = 0; r == 0 && i < q->devices.n; i++) {
		o.said = q->devices.v[i];
		r = one_device(&o, e);
	}
	for (size_t i = 0; r == 0 && i < q->device_rules.n; i++) {
		o.said = q->device_rules.v[i];
		r = one_rule(&o, e);
	}
	return r;
}
