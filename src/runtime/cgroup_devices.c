/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules.  OCI: a list read in order, later rules override earlier ones, each for some of the
 * accesses mknod, read, write.  The devices that every container has by the specification are
 * allowed after the list, as runc does (runtime-spec config-linux.md, "Default Devices").
 *
 * v2: the list becomes a program that reads it backwards and strikes off the accesses a rule
 * grants, so each bit is decided by the last rule that speaks of it.
 * v1: the kernel keeps a default and exceptions to it.  A rule that narrows part of a wildcard
 * exception cannot be expressed there and is refused.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"
#include "sys/bpf.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_ACCESS (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define RULES_MAX  1024

/* Making a node is harmless where opening it is not allowed. */
static const struct cgroup_device defaults[] = {
    {true, 'c', -1, -1, BPF_DEVCG_ACC_MKNOD},
    {true, 'b', -1, -1, BPF_DEVCG_ACC_MKNOD},
    {true, 'c', 1, 3, ALL_ACCESS},    /* null */
    {true, 'c', 1, 5, ALL_ACCESS},    /* zero */
    {true, 'c', 1, 7, ALL_ACCESS},    /* full */
    {true, 'c', 1, 8, ALL_ACCESS},    /* random */
    {true, 'c', 1, 9, ALL_ACCESS},    /* urandom */
    {true, 'c', 5, 0, ALL_ACCESS},    /* tty */
    {true, 'c', 5, 2, ALL_ACCESS},    /* ptmx */
    {true, 'c', 136, -1, ALL_ACCESS}, /* pts */
};
#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static int parse_access(const char *s, unsigned int *out, struct err *e)
{
	*out = s && *s ? 0 : ALL_ACCESS;
	for (; s && *s; s++) {
		if (*s == 'r')
			*out |= BPF_DEVCG_ACC_READ;
		else if (*s == 'w')
			*out |= BPF_DEVCG_ACC_WRITE;
		else if (*s == 'm')
			*out |= BPF_DEVCG_ACC_MKNOD;
		else if (*s != 'a') /* of no meaning, but runc lets it pass */
			return err_set(e, ERR_USAGE, "devices: access '%.8s' is not of 'rwm'", s);
	}
	return 0;
}

static int parse_number(struct jbind_optint o, const char *what, int64_t *out, struct err *e)
{
	*out = o.set ? o.v : -1;
	if (*out < -1 || *out > UINT32_MAX)
		return err_set(e, ERR_USAGE, "devices: %s %" PRId64 " is out of range", what, *out);
	return 0;
}

static int parse_rule(const struct plan_device_rule *in, struct cgroup_device *out, struct err *e)
{
	const char *type = in->type && *in->type ? in->type : "a";
	int r;

	if (strlen(type) != 1 || !strchr("abcu", *type))
		return err_set(e, ERR_USAGE, "devices: type '%.8s' is not one of a, b, c", type);
	out->allow = in->allow;
	out->type = *type == 'u' ? 'c' : *type;
	r = parse_access(in->access, &out->access, e);
	if (r == 0)
		r = parse_number(in->major, "major", &out->major, e);
	if (r == 0)
		r = parse_number(in->minor, "minor", &out->minor, e);
	return r;
}

static bool whole(const struct cgroup_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 && d->access == ALL_ACCESS;
}

int cgroup_devices_list(struct arena *a, const struct plan_device_rules *rules,
			struct cgroup_device_list *out, struct err *e)
{
	struct cgroup_device_list l = {0};

	if (rules->n > RULES_MAX)
		return err_set(e, ERR_LIMIT, "devices: more than %d rules", RULES_MAX);
	l.v = arena_array(a, rules->n + DEFAULTS, sizeof(*l.v));
	for (size_t i = 0; i < rules->n; i++) {
		int r = parse_rule(&rules->v[i], &l.v[l.n], e);

		if (r < 0)
			return r;
		/* What speaks of everything makes all before it void. */
		if (whole(&l.v[l.n])) {
			l.v[0] = l.v[l.n];
			l.n = 0;
		}
		l.n++;
	}
	memcpy(l.v + l.n, defaults, sizeof(defaults));
	l.n += DEFAULTS;
	*out = l;
	return 0;
}

/* ---- v2 ---- */

enum { R_RESULT, R_CTX, R_TYPE, R_NEED, R_MAJOR, R_MINOR, R_TMP };

static void emit_return(struct bpf_code *c, bool allow)
{
	bpf_emit(c, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, allow);
	bpf_emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static size_t emit_unless(struct bpf_code *c, uint8_t reg, int64_t value)
{
	bpf_emit(c, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, 0, (int32_t)(uint32_t)value);
	return c->n - 1;
}

static void emit_rule(struct bpf_code *c, const struct cgroup_device *d)
{
	size_t next[4], n = 0;

	if (d->type != 'a')
		next[n++] = emit_unless(c, R_TYPE,
					d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->major >= 0)
		next[n++] = emit_unless(c, R_MAJOR, d->major);
	if (d->minor >= 0)
		next[n++] = emit_unless(c, R_MINOR, d->minor);
	if (d->allow) {
		if (d->access != ALL_ACCESS) {
			bpf_emit(c, BPF_ALU64 | BPF_AND | BPF_K, R_NEED, 0, 0,
				 (int32_t)(ALL_ACCESS & ~d->access));
			next[n++] = emit_unless(c, R_NEED, 0);
		}
		emit_return(c, true);
	} else {
		if (d->access != ALL_ACCESS) {
			bpf_emit(c, BPF_ALU64 | BPF_MOV | BPF_X, R_TMP, R_NEED, 0, 0);
			bpf_emit(c, BPF_ALU64 | BPF_AND | BPF_K, R_TMP, 0, 0, (int32_t)d->access);
			bpf_emit(c, BPF_JMP32 | BPF_JEQ | BPF_K, R_TMP, 0, 0, 0);
			next[n++] = c->n - 1;
		}
		emit_return(c, false);
	}
	while (n > 0)
		bpf_land(c, next[--n]);
}

/* struct bpf_cgroup_dev_ctx: access_type (access << 16 | type), major, minor. */
static void assemble(struct bpf_code *c, const struct cgroup_device_list *l)
{
	size_t i = l->n;

	bpf_emit(c, BPF_LDX | BPF_MEM | BPF_W, R_NEED, R_CTX, 0, 0);
	bpf_emit(c, BPF_ALU64 | BPF_MOV | BPF_X, R_TYPE, R_NEED, 0, 0);
	bpf_emit(c, BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	bpf_emit(c, BPF_ALU64 | BPF_RSH | BPF_K, R_NEED, 0, 0, 16);
	bpf_emit(c, BPF_LDX | BPF_MEM | BPF_W, R_MAJOR, R_CTX, 4, 0);
	bpf_emit(c, BPF_LDX | BPF_MEM | BPF_W, R_MINOR, R_CTX, 8, 0);
	while (i-- > 0) {
		emit_rule(c, &l->v[i]);
		/* The verifier refuses what cannot be reached. */
		if (whole(&l->v[i]))
			return;
	}
	emit_return(c, false);
}

/* Attach prog in place of everything of ours that is there.  One old program, the usual case, is
 * replaced in one step; of several, the last go after the new one works, so that there is no moment
 * without a filter. */
static int replace(int dir, int prog)
{
	int old[64], n = bpf_attached_device(dir, old, 64), r;

	if (n < 0)
		return n;
	r = bpf_attach_device(dir, prog, n == 1 ? old[0] : -1);
	if (r == -EINVAL && n == 1) { /* before 5.6 */
		r = bpf_attach_device(dir, prog, -1);
		if (r == 0)
			r = bpf_detach_device(dir, old[0]);
	}
	for (int i = 0; i < n; i++) {
		if (r == 0 && n > 1)
			r = bpf_detach_device(dir, old[i]);
		close(old[i]);
	}
	return r;
}

int cgroup_devices_v2(int dir, const struct plan_device_rules *rules, struct err *e)
{
	struct arena a = ARENA_INIT;
	struct bpf_code *c = arena_alloc(&a, sizeof(*c));
	struct cgroup_device_list l;
	auto_fd int prog = -1;
	int r = cgroup_devices_list(&a, rules, &l, e);

	if (r == 0) {
		assemble(c, &l);
		prog = bpf_load_device(c);
		r = prog < 0 ? prog : replace(dir, prog);
		if (r < 0) {
			errno = -r;
			r = err_sys(e, "cgroup: device filter (bpf)");
		}
	}
	arena_free(&a);
	return r;
}

/* ---- v1 ---- */

struct wall {
	bool allow;		 /* the default */
	struct cgroup_device *v; /* exceptions: .allow == !wall.allow */
	size_t n;
};

static bool same_device(const struct cgroup_device *x, const struct cgroup_device *y)
{
	return x->type == y->type && x->major == y->major && x->minor == y->minor;
}

/* Does x speak of every device y speaks of?  Does it speak of any? */
static bool covers(const struct cgroup_device *x, const struct cgroup_device *y)
{
	return x->type == y->type && (x->major < 0 || x->major == y->major) &&
	       (x->minor < 0 || x->minor == y->minor);
}

static bool meets(const struct cgroup_device *x, const struct cgroup_device *y)
{
	return x->type == y->type && (x->major < 0 || y->major < 0 || x->major == y->major) &&
	       (x->minor < 0 || y->minor < 0 || x->minor == y->minor) && x->access & y->access;
}

static int take_away(struct wall *w, const struct cgroup_device *d, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct cgroup_device x = w->v[i];

		if (covers(d, &x))
			x.access &= ~d->access;
		else if (meets(d, &x))
			return err_set(e, ERR_UNSUPPORTED,
				       "devices: cgroup v1 cannot express a rule for %c %" PRId64
				       ":%" PRId64 " inside one for %c %" PRId64 ":%" PRId64,
				       d->type, d->major, d->minor, x.type, x.major, x.minor);
		if (x.access)
			w->v[n++] = x;
	}
	w->n = n;
	return 0;
}

static void add_exception(struct wall *w, const struct cgroup_device *d)
{
	for (size_t i = 0; i < w->n; i++)
		if (same_device(&w->v[i], d)) {
			w->v[i].access |= d->access;
			return;
		}
	w->v[w->n] = *d;
	w->v[w->n++].allow = d->allow;
}

/* 'a' with less than everything is two rules, one for each type. */
static int add_rule(struct wall *w, const struct cgroup_device *d, struct err *e)
{
	struct cgroup_device one = *d;
	int r = 0;

	if (whole(d)) {
		w->allow = d->allow;
		w->n = 0;
		return 0;
	}
	for (int i = 0; r == 0 && i < 2; i++) {
		if (d->type == 'a')
			one.type = i ? 'c' : 'b';
		else if (i)
			break;
		if (d->allow == w->allow)
			r = take_away(w, &one, e);
		else
			add_exception(w, &one);
	}
	return r;
}

static void print_rule(const struct cgroup_device *d, char out[64])
{
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	snprintf(out, 64, "%c %s:%s %s%s%s", d->type, major, minor,
		 d->access & BPF_DEVCG_ACC_READ ? "r" : "",
		 d->access & BPF_DEVCG_ACC_WRITE ? "w" : "",
		 d->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
}

static const struct cgroup_device *in_wall(const struct wall *w, const struct cgroup_device *d)
{
	for (size_t i = 0; i < w->n; i++)
		if (same_device(&w->v[i], d))
			return &w->v[i];
	return NULL;
}

/* "c 1:3 rwm" of devices.list. */
static bool parse_line(const char *line, struct cgroup_device *d)
{
	char major[16], minor[16], access[8];
	struct plan_device_rule r = {.allow = true};

	if (sscanf(line, "%c %15[^:]:%15s %7s", &d->type, major, minor, access) != 4)
		return false;
	r.access = access;
	d->allow = true;
	d->major = streq(major, "*") ? -1 : strtoll(major, NULL, 10);
	d->minor = streq(minor, "*") ? -1 : strtoll(minor, NULL, 10);
	return parse_access(r.access, &d->access, NULL) == 0;
}

/* What is in force.  The kernel shows a deny-by-default list as its exceptions and any
 * allow-by-default one as "a *:* rwm", without them. */
static int read_wall(int dir, struct arena *a, struct wall *w, struct err *e)
{
	auto_free char *text = NULL;
	char *line, *next;
	size_t lines = 1;
	ssize_t n = file_read(dir, "devices.list", 1 << 20, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "cgroup: read devices.list");
	}
	for (line = text; *line; line++)
		lines += *line == '\n';
	w->v = arena_array(a, lines, sizeof(*w->v));
	for (line = text; line && *line; line = next) {
		struct cgroup_device d = {0};

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!parse_line(line, &d))
			continue;
		if (d.type == 'a')
			w->allow = true;
		else
			w->v[w->n++] = d;
	}
	return 0;
}

/* Write the exceptions of `to` that `now` has not (file: devices.allow or devices.deny), one write
 * each, through one descriptor. */
static int put_missing(int dir, const char *file, const struct wall *to, const struct wall *now,
		       struct err *e)
{
	auto_fd int fd = -1;

	for (size_t i = 0; i < to->n; i++) {
		struct cgroup_device d = to->v[i];
		const struct cgroup_device *have = in_wall(now, &d);
		char text[64];

		d.access &= have ? ~have->access : ~0U;
		if (!d.access)
			continue;
		if (fd < 0)
			fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "cgroup: %s", file);
		print_rule(&d, text);
		if (write(fd, text, strlen(text)) < 0)
			return err_sys(e, "cgroup: write '%s' to %s", text, file);
	}
	return 0;
}

static int build_wall(int dir, const struct plan_device_rules *rules, struct err *e)
{
	struct arena a = ARENA_INIT;
	struct cgroup_device_list l;
	struct wall to = {0}, now = {0};
	int r = cgroup_devices_list(&a, rules, &l, e);

	if (r == 0)
		r = read_wall(dir, &a, &now, e);
	if (r == 0)
		to.v = arena_array(&a, l.n * 2, sizeof(*to.v));
	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = add_rule(&to, &l.v[i], e);
	/* Between two deny lists only the difference is written, so a running instance never loses
	 * a device it keeps.  Every other change begins from nothing. */
	if (r == 0 && (to.allow || now.allow)) {
		r = cgroup_file_put(dir, to.allow ? "devices.allow" : "devices.deny", e, "a");
		now.n = 0;
	}
	if (r == 0 && !to.allow && !now.allow)
		r = put_missing(dir, "devices.deny", &now, &to, e);
	if (r == 0)
		r = put_missing(dir, to.allow ? "devices.deny" : "devices.allow", &to, &now, e);
	arena_free(&a);
	return r;
}

int cgroup_devices_v1(int dir, const struct plan_device_rules *rules, struct err *e)
{
	struct err why = ERR_INIT;
	int r = build_wall(dir, rules, &why);

	/* The rules are the host root's to change.  Inside a user namespace nobody can make nodes,
	 * and which of the host's may be opened the outer rules say: as runc, without ours. */
	if ((r == -EPERM || r == -EACCES) && userns_inside())
		return 0;
	if (r < 0 && e)
		*e = why;
	return r;
}
