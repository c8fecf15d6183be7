/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/docker_seccomp.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"

#include <stdlib.h>

#define RULES_MAX 4096

struct condition {
	struct strs caps, arches;
	const char *min_kernel;
};
struct rule {
	struct strs names;
	const char *name; /* the form of 2015: one */
	const char *action, *args;
	struct jbind_optint errno_ret;
	struct condition includes, excludes;
};
struct rules {
	struct rule *v;
	size_t n;
};
struct arch {
	const char *name;
	struct strs sub;
};
struct arches {
	struct arch *v;
	size_t n;
};
struct profile {
	const char *action;
	struct jbind_optint errno_ret;
	struct strs architectures, flags;
	const char *listener_path, *listener_metadata;
	struct arches map;
	struct rules rules;
};

#define TABLE(name_, struct_, ...)                                                                 \
	static const struct jbind_field name_##_fields[] = {__VA_ARGS__, JB_END};                  \
	static const struct jbind name_ = {.size = sizeof(struct_), .fields = name_##_fields}

TABLE(condition, struct condition, JB(struct condition, caps, "caps", JBIND_STRS),
      JB(struct condition, arches, "arches", JBIND_STRS),
      JB(struct condition, min_kernel, "minKernel", JBIND_STR));
TABLE(rule, struct rule, JB(struct rule, names, "names", JBIND_STRS),
      JB(struct rule, name, "name", JBIND_STR),
      JB(struct rule, action, "action", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct rule, errno_ret, "errnoRet", JBIND_OPTINT),
      JB(struct rule, args, "args", JBIND_RAW),
      JB(struct rule, includes, "includes", JBIND_OBJ, .sub = &condition),
      JB(struct rule, excludes, "excludes", JBIND_OBJ, .sub = &condition));
TABLE(arch, struct arch, JB(struct arch, name, "architecture", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct arch, sub, "subArchitectures", JBIND_STRS));
TABLE(profile, struct profile,
      JB(struct profile, action, "defaultAction", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct profile, errno_ret, "defaultErrnoRet", JBIND_OPTINT),
      JB(struct profile, architectures, "architectures", JBIND_STRS),
      JB(struct profile, flags, "flags", JBIND_STRS),
      JB(struct profile, listener_path, "listenerPath", JBIND_STR),
      JB(struct profile, listener_metadata, "listenerMetadata", JBIND_STR),
      JB(struct profile, map, "archMap", JBIND_LIST, .sub = &arch),
      JB(struct profile, rules, "syscalls", JBIND_LIST, .sub = &rule));

/* The same again in the OCI form: what is written. */
TABLE(oci_rule, struct rule, JB(struct rule, names, "names", JBIND_STRS),
      JB(struct rule, action, "action", JBIND_STR),
      JB(struct rule, errno_ret, "errnoRet", JBIND_OPTINT),
      JB(struct rule, args, "args", JBIND_RAW));
TABLE(oci_profile, struct profile, JB(struct profile, action, "defaultAction", JBIND_STR),
      JB(struct profile, errno_ret, "defaultErrnoRet", JBIND_OPTINT),
      JB(struct profile, architectures, "architectures", JBIND_STRS),
      JB(struct profile, flags, "flags", JBIND_STRS),
      JB(struct profile, rules, "syscalls", JBIND_LIST, .sub = &oci_rule));

static bool has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

/* "4.8": is the kernel at least that?  -1: no such form. */
static int reaches(const char *version, const struct docker_seccomp_host *h)
{
	unsigned long major, minor;
	char *end;

	if (*version < '0' || *version > '9')
		return -1;
	major = strtoul(version, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return -1;
	minor = strtoul(end + 1, &end, 10);
	if (*end)
		return -1;
	return h->kernel_major > major || (h->kernel_major == major && h->kernel_minor >= minor);
}

/* Whether a rule is for this machine. */
static bool applies(const struct rule *r, const struct docker_seccomp_host *h)
{
	const struct condition *in = &r->includes, *ex = &r->excludes;

	if ((in->arches.n && !has(&in->arches, h->arch)) || has(&ex->arches, h->arch))
		return false;
	for (size_t i = 0; i < in->caps.n; i++)
		if (!has(h->caps, in->caps.v[i]))
			return false;
	for (size_t i = 0; i < ex->caps.n; i++)
		if (has(h->caps, ex->caps.v[i]))
			return false;
	if (in->min_kernel && reaches(in->min_kernel, h) != 1)
		return false;
	return !ex->min_kernel || reaches(ex->min_kernel, h) != 1;
}

static int check_rule(struct rule *r, const char *what, size_t i, struct arena *a, struct err *e)
{
	const struct condition *c[] = {&r->includes, &r->excludes};

	for (size_t k = 0; k < 2; k++) {
		static const struct docker_seccomp_host any = {.kernel_major = 1};

		if (c[k]->min_kernel && reaches(c[k]->min_kernel, &any) < 0)
			return err_set(e, ERR_USAGE, "%s: syscalls[%zu]: minKernel '%.40s'", what,
				       i, c[k]->min_kernel);
	}
	if (r->name && r->names.n)
		return err_set(e, ERR_USAGE, "%s: syscalls[%zu]: both name and names", what, i);
	if (r->name)
		arena_strs_add(a, &r->names, r->name);
	if (!r->names.n)
		return err_set(e, ERR_USAGE, "%s: syscalls[%zu]: no names", what, i);
	return 0;
}

static int select_rules(struct profile *p, const char *what, const struct docker_seccomp_host *h,
			struct arena *a, struct err *e)
{
	size_t n = 0;

	if (p->rules.n > RULES_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d rules", what, RULES_MAX);
	for (size_t i = 0; i < p->rules.n; i++) {
		int r = check_rule(&p->rules.v[i], what, i, a, e);

		if (r < 0)
			return r;
		if (applies(&p->rules.v[i], h))
			p->rules.v[n++] = p->rules.v[i];
	}
	p->rules.n = n;
	return 0;
}

static int select_arches(struct profile *p, const char *what, const struct docker_seccomp_host *h,
			 struct arena *a, struct err *e)
{
	const char *native = streq(h->arch, "amd64")   ? "SCMP_ARCH_X86_64"
			     : streq(h->arch, "arm64") ? "SCMP_ARCH_AARCH64"
						       : "";

	if (p->map.n && p->architectures.n)
		return err_set(e, ERR_USAGE, "%s: both architectures and archMap", what);
	for (size_t i = 0; i < p->map.n; i++) {
		const struct arch *m = &p->map.v[i];

		if (!streq(m->name, native))
			continue;
		arena_strs_add(a, &p->architectures, m->name);
		for (size_t k = 0; k < m->sub.n; k++)
			arena_strs_add(a, &p->architectures, m->sub.v[k]);
	}
	return 0;
}

int docker_seccomp_convert(const char *text, size_t len, const char *what,
			   const struct docker_seccomp_host *host, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct profile p = {0};
	int r;

	if (len > DOCKER_SECCOMP_MAX)
		return err_set(e, ERR_LIMIT, "%s: larger than %u bytes", what, DOCKER_SECCOMP_MAX);
	r = jbind_parse(&profile, text, len, &p, &a, what, e);
	if (r == 0 && (p.listener_path || p.listener_metadata))
		r = err_set(e, ERR_UNSUPPORTED, "%s: listenerPath is not possible", what);
	if (r == 0)
		r = select_arches(&p, what, host, &a, e);
	if (r == 0)
		r = select_rules(&p, what, host, &a, e);
	if (r < 0)
		return r;
	jbind_write(&oci_profile, &p, out);
	return buf_fail(out, what, e);
}
