/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled program is [prologue of each architecture][what libseccomp made].
 *
 * The prologue does what libseccomp cannot say: it answers ENOSYS to calls newer than any the
 * profile names, where a refusal (EPERM) would keep libc from falling back to the older call, and
 * it compares int arguments by their low 32 bits, because the kernel ignores the high half and so
 * must the filter.
 */
#include "runtime/seccomp_compile.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_default.h"
#include "spec/plan.h"
#include "sys/fd.h"

#include <endian.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

#define X32_BIT	     0x40000000u
#define PROLOGUE_MAX 512
#define PROGRAM_MAX  (BPF_MAXINSNS - PROLOGUE_MAX)
#define ARCHES_MAX   16
#define SYSCALL_ARGS 6
#define ERRNO_MAX_   4095

static const struct {
	const char *name;
	uint32_t token;
} arches[] = {
    {"SCMP_ARCH_NATIVE", SCMP_ARCH_NATIVE},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
};

static const struct {
	const char *name;
	uint32_t action;
	bool takes_errno;
} actions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false},
};

static const struct {
	const char *name;
	enum scmp_compare op;
} ops[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

static void release_ctx(scmp_filter_ctx *c)
{
	if (*c)
		seccomp_release(*c);
}

static int find_action(const char *name, const struct jbind_optint *err_no, const char *where,
		       uint32_t *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!streq(actions[i].name, name))
			continue;
		*out = actions[i].action;
		if (err_no->set && !actions[i].takes_errno)
			return err_set(e, ERR_USAGE, "%s: %s takes no errno", where, name);
		if (err_no->set && (err_no->v < 0 || err_no->v > ERRNO_MAX_))
			return err_set(e, ERR_USAGE, "%s: errno %lld is out of range", where,
				       (long long)err_no->v);
		/* runc: EPERM unless said otherwise, for ERRNO and for TRACE. */
		if (actions[i].takes_errno)
			*out |= err_no->set ? (uint32_t)err_no->v : EPERM;
		return 0;
	}
	return err_set(e, ERR_USAGE, "%s: unknown action '%s'", where, name);
}

static int add_arches(scmp_filter_ctx c, const struct strs *names, uint32_t *tokens, size_t *n,
		      struct err *e)
{
	tokens[(*n)++] = seccomp_arch_native();
	for (size_t i = 0; i < names->n; i++) {
		uint32_t token = 0;
		int r;

		for (size_t k = 0; k < sizeof(arches) / sizeof(arches[0]); k++)
			if (streq(arches[k].name, names->v[i]))
				token = arches[k].token;
		if (!token && !streq(names->v[i], "SCMP_ARCH_NATIVE"))
			return err_set(e, ERR_USAGE, "linux.seccomp.architectures: unknown '%s'",
				       names->v[i]);
		r = seccomp_arch_add(c, token);
		if (r == -EEXIST)
			continue;
		if (r < 0 || *n == ARCHES_MAX)
			return err_set(e, ERR_USAGE,
				       "linux.seccomp.architectures: '%s' cannot be filtered here",
				       names->v[i]);
		tokens[(*n)++] = token;
	}
	return 0;
}

static int arg_cmp(const struct plan_seccomp_arg *a, struct scmp_arg_cmp *out, struct err *e)
{
	if (a->index >= SYSCALL_ARGS)
		return err_set(e, ERR_USAGE, "linux.seccomp: argument %u of a system call",
			       a->index);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (streq(ops[i].name, a->op)) {
			*out = (struct scmp_arg_cmp){.arg = a->index,
						     .op = ops[i].op,
						     .datum_a = a->value,
						     .datum_b = a->value_two};
			return 0;
		}
	return err_set(e, ERR_USAGE, "linux.seccomp: unknown operator '%s'", a->op);
}

/* libseccomp takes one comparison per argument and rule; when a rule compares one argument twice,
 * each comparison is a rule of its own (any of them matches), as runc does. */
static bool compares_twice(const struct plan_seccomp_args *l)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (seen & 1u << (l->v[i].index % 32))
			return true;
		seen |= 1u << (l->v[i].index % 32);
	}
	return false;
}

static int add_name(scmp_filter_ctx c, const char *name, uint32_t action,
		    const struct plan_seccomp_args *l, struct err *e)
{
	struct scmp_arg_cmp cmp[SYSCALL_ARGS];
	int nr = seccomp_syscall_resolve_name(name), r = 0;
	bool apart = compares_twice(l);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	if (l->n > SYSCALL_ARGS && !apart)
		return err_set(e, ERR_USAGE, "linux.seccomp: %zu arguments for %s", l->n, name);
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		r = arg_cmp(&l->v[i], &cmp[apart ? 0 : i], e);
		if (r < 0)
			return r;
		if (apart)
			r = seccomp_rule_add_array(c, action, nr, 1, cmp);
	}
	if (!apart)
		r = seccomp_rule_add_array(c, action, nr, (unsigned int)l->n, cmp);
	/* EEXIST: the same rule twice. EDOM: a 64-bit comparison on a 32-bit entry, which
	 * libseccomp leaves out there; the default action then answers. */
	if (r < 0 && r != -EEXIST && r != -EDOM)
		return err_set(e, ERR_USAGE, "linux.seccomp: rule for %s: %s", name, strerror(-r));
	return 0;
}

static int add_rules(scmp_filter_ctx c, const struct plan_seccomp *s, uint32_t default_action,
		     struct seccomp_program *out, struct err *e)
{
	for (size_t i = 0; i < s->syscalls.n; i++) {
		const struct plan_seccomp_rule *rule = &s->syscalls.v[i];
		uint32_t action;
		int r = find_action(rule->action, &rule->errno_ret, "linux.seccomp.syscalls",
				    &action, e);

		if (r < 0)
			return r;
		if (action == default_action)
			continue; /* says nothing, and libseccomp refuses it */
		out->notify |= action == SCMP_ACT_NOTIFY;
		for (size_t k = 0; k < rule->names.n; k++) {
			/* The runtime itself must write to its parent after installing the filter.
			 */
			if (action == SCMP_ACT_NOTIFY && streq(rule->names.v[k], "write"))
				return err_set(e, ERR_USAGE,
					       "linux.seccomp: SCMP_ACT_NOTIFY cannot be used for "
					       "the write syscall");
			r = add_name(c, rule->names.v[k], action, &rule->args, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- the prologue ---- */

struct prologue {
	struct sock_filter v[PROLOGUE_MAX];
	size_t n;
};

static void emit(struct prologue *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (p->n < PROLOGUE_MAX)
		p->v[p->n] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
	p->n++;
}

static void load(struct prologue *p, size_t off)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)off);
}

static void answer(struct prologue *p, int error)
{
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (uint32_t)error);
}

/* x32 shares the audit architecture of x86_64 and is told apart by a bit of the number. */
static uint32_t audit_arch(uint32_t token)
{
	return token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
}

/* The number of a call on an architecture, negative when it is not there. */
static int number_of(const char *name, uint32_t token)
{
	/* libseccomp gives a pseudo number for what socketcall multiplexes on 32-bit x86; the
	 * direct call has 359 there since Linux 4.3 (arch/x86/entry/syscalls/syscall_32.tbl). */
	if (token == SCMP_ARCH_X86 && streq(name, "socket"))
		return 359;
	return seccomp_syscall_resolve_name_arch(token, name);
}

/* Accumulator: the number of the call. */
static void deny(struct prologue *p, const struct seccomp_denied *d, uint32_t token)
{
	const size_t low = __BYTE_ORDER == __LITTLE_ENDIAN ? 0 : 4;
	int nr = number_of(d->name, token);

	if (nr < 0)
		return;
	if (!d->by_arg) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)nr);
		answer(p, d->error);
		return;
	}
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)nr);
	load(p, offsetof(struct seccomp_data, args) + d->arg * sizeof(uint64_t) + low);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, d->value);
	answer(p, d->error);
	load(p, offsetof(struct seccomp_data, nr));
}

/* The newest call of this architecture that the profile names, 0 when it names none. */
static uint32_t newest(const struct plan_seccomp *s, uint32_t token)
{
	uint32_t max = 0;

	for (size_t i = 0; i < s->syscalls.n; i++)
		for (size_t k = 0; k < s->syscalls.v[i].names.n; k++) {
			int nr = number_of(s->syscalls.v[i].names.v[k], token);

			if (nr > 0 && (uint32_t)nr > max)
				max = (uint32_t)nr;
		}
	return max;
}

/* Where a refusal is the default, a call that did not exist when the profile was written does not
 * exist for the workload either. */
static bool wants_enosys(uint32_t default_action)
{
	return default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
	       default_action != SCMP_ACT_ERRNO(ENOSYS);
}

static void add_prologue(struct prologue *p, const struct plan_seccomp *s, uint32_t token,
			 uint32_t default_action, const struct seccomp_denied *denied, size_t n)
{
	size_t start = p->n, skip;
	uint32_t max = wants_enosys(default_action) ? newest(s, token) : 0;

	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit_arch(token));
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0); /* patched: not this architecture */
	load(p, offsetof(struct seccomp_data, nr));
	if (token == SCMP_ARCH_X86_64) {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 0); /* patched: an x32 call */
	}
	if (token == SCMP_ARCH_X32) {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, 1, 0, X32_BIT);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 0); /* patched: not an x32 call */
	}
	skip = p->n;
	for (size_t i = 0; i < n; i++)
		deny(p, &denied[i], token);
	if (max) {
		emit(p, BPF_JMP | BPF_JGT | BPF_K, 0, 1, max);
		answer(p, ENOSYS);
	}
	for (size_t i = start; i < skip && i < PROLOGUE_MAX; i++)
		if (p->v[i].code == (BPF_JMP | BPF_JA))
			p->v[i].k = (uint32_t)(p->n - i - 1);
}

/* ---- putting both together ---- */

static int export_program(scmp_filter_ctx c, const struct prologue *p, struct seccomp_program *out,
			  struct err *e)
{
	auto_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	auto_free char *text = NULL;
	size_t n;
	ssize_t len;
	int r;

	if (fd < 0)
		return err_sys(e, "memfd for the seccomp program");
	r = seccomp_export_bpf(c, fd);
	if (r < 0)
		return err_set(e, ERR_SYSTEM, "seccomp program: %s", strerror(-r));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "seccomp program");
	len = fd_slurp(fd, PROGRAM_MAX * sizeof(struct sock_filter), &text);
	if (len < 0 || p->n > PROLOGUE_MAX)
		return err_set(e, ERR_LIMIT, "linux.seccomp: more than %d instructions",
			       BPF_MAXINSNS);
	n = (size_t)len / sizeof(struct sock_filter);
	out->insns = calloc(p->n + n, sizeof(*out->insns));
	if (!out->insns)
		abort();
	memcpy(out->insns, p->v, p->n * sizeof(*p->v));
	memcpy(out->insns + p->n, text, n * sizeof(*p->v));
	out->len = (uint16_t)(p->n + n);
	return 0;
}

int seccomp_compile(const struct plan_seccomp *s, const struct seccomp_denied *denied, size_t n,
		    struct seccomp_program *out, struct err *e)
{
	__attribute__((cleanup(release_ctx))) scmp_filter_ctx c = NULL;
	struct prologue p = {.n = 0};
	uint32_t tokens[ARCHES_MAX], action;
	size_t arch_n = 0;
	int r;

	r = find_action(s->default_action, &s->default_errno_ret, "linux.seccomp.defaultAction",
			&action, e);
	if (r < 0)
		return r;
	if (action == SCMP_ACT_NOTIFY)
		return err_set(
		    e, ERR_USAGE,
		    "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY would stop the runtime itself");
	c = seccomp_init(action);
	if (!c)
		return err_set(e, ERR_SYSTEM, "libseccomp does not start");
	/* A binary tree over the numbers instead of a chain: a call costs 9 comparisons, not 300.
	 * Libraries before 2.5 know no such thing and refuse, which is no loss but of speed. */
	(void)seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = add_arches(c, &s->architectures, tokens, &arch_n, e);
	if (r == 0)
		r = add_rules(c, s, action, out, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < arch_n; i++)
		add_prologue(&p, s, tokens[i], action, denied, n);
	return export_program(c, &p, out, e);
}
