/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/seccomp_cache.h"
#include "runtime/seccomp_compile.h"
#include "runtime/seccomp_default.h"
#include "spec/plan.h"
#include "sys/cbpf.h"

#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define PROFILE_TEXT_MAX (4u << 20)

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "name the audit architecture of this machine"
#endif

static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
    /* One thread installs the filter, so there is nobody to synchronise with. */
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

/* As runc: without a word on flags, no mitigation against speculative store bypass (kernels before
 * 5.16 turn it on for every filtered process, which costs some of them half their speed). */
#define FLAGS_DEFAULT SECCOMP_FILTER_FLAG_SPEC_ALLOW

static int read_flags(const struct plan_seccomp *s, uint32_t *out, struct err *e)
{
	*out = s->flags.n ? 0 : FLAGS_DEFAULT;
	for (size_t i = 0; i < s->flags.n; i++) {
		size_t k = 0;

		while (k < sizeof(flags) / sizeof(flags[0]) && !streq(flags[k].name, s->flags.v[i]))
			k++;
		if (k == sizeof(flags) / sizeof(flags[0]))
			return err_set(e, ERR_USAGE, "linux.seccomp.flags: unknown '%s'",
				       s->flags.v[i]);
		*out |= flags[k].flag;
	}
	return 0;
}

static void key_head(struct sha256 *h)
{
	const struct scmp_version *v = seccomp_version();
	char head[128];
	int n = snprintf(head, sizeof(head), "%s %u.%u.%u %x\n", SECCOMP_DEFAULT_VERSION, v->major,
			 v->minor, v->micro, NATIVE_ARCH);

	sha256_init(h);
	sha256_add(h, head, (size_t)n);
}

/* The built-in profile depends on nothing but its version and the capabilities. */
static int prepare_default(const struct plan *p, const char *cache_dir, struct seccomp_program *out,
			   struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	static const struct strs none;
	const struct strs *caps =
	    p->process && p->process->capabilities ? &p->process->capabilities->bounding : &none;
	struct seccomp_cache_key key;
	struct sha256 h;
	int r;

	key_head(&h);
	sha256_add(&h, "default", 8);
	for (size_t i = 0; i < caps->n; i++)
		sha256_add(&h, caps->v[i], strlen(caps->v[i]) + 1);
	sha256_done(&h, key.sum);
	if (!seccomp_cache_load(cache_dir, &key, out)) {
		r = seccomp_compile(seccomp_default_profile(caps, &a), seccomp_default_denied,
				    seccomp_default_denied_n, out, e);
		if (r < 0)
			return r;
		seccomp_cache_save(cache_dir, &key, out);
	}
	seccomp_cache_name(&key, out->name);
	out->flags = FLAGS_DEFAULT;
	return 0;
}

static int prepare_profile(const struct plan_seccomp *s, const char *cache_dir,
			   struct seccomp_program *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(PROFILE_TEXT_MAX);
	struct seccomp_cache_key key;
	struct sha256 h;
	uint32_t fl = 0;
	int r;

	jbind_write(&plan_seccomp_table, s, &text);
	r = buf_fail(&text, "linux.seccomp", e);
	if (r == 0)
		r = read_flags(s, &fl, e);
	if (r < 0)
		return r;
	key_head(&h);
	sha256_add(&h, text.p, text.len);
	sha256_done(&h, key.sum);
	if (!seccomp_cache_load(cache_dir, &key, out)) {
		r = seccomp_compile(s, NULL, 0, out, e);
		if (r < 0)
			return r;
		seccomp_cache_save(cache_dir, &key, out);
	}
	seccomp_cache_name(&key, out->name);
	out->flags = fl;
	out->listener_path = s->listener_path;
	out->listener_metadata = s->listener_metadata;
	return 0;
}

int seccomp_prepare(const struct plan *p, const char *cache_dir, struct seccomp_program *out,
		    struct err *e)
{
	const char *profile = p->caisson ? p->caisson->seccomp_profile : NULL;
	struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	int r = 0;

	if (profile && streq(profile, "default"))
		r = prepare_default(p, cache_dir, &sp, e);
	else if (profile && !streq(profile, "unconfined"))
		return err_set(e, ERR_USAGE, "no seccomp profile '%s'", profile);
	else if (!profile && p->linux_ && p->linux_->seccomp)
		r = prepare_profile(p->linux_->seccomp, cache_dir, &sp, e);
	if (r < 0)
		seccomp_done(&sp);
	else
		*out = sp;
	return r;
}

void seccomp_done(struct seccomp_program *sp)
{
	free(sp->insns);
	*sp = SECCOMP_PROGRAM_INIT;
}

int seccomp_install(const struct seccomp_program *sp, int *listener_fd, struct err *e)
{
	struct sock_fprog prog = {.len = sp->len, .filter = sp->insns};
	unsigned long fl = sp->flags | (sp->notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	long r;

	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, fl, &prog);
	if (r < 0)
		return err_sys(e, "install the seccomp filter");
	*listener_fd = sp->notify ? (int)r : -1; /* the kernel makes it close-on-exec */
	return 0;
}

unsigned int seccomp_count_allowed(const struct seccomp_program *sp, unsigned int *of)
{
	unsigned int known = 0, allowed = 0;

	for (int nr = 0; nr < 1024; nr++) {
		auto_free char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (!name)
			continue;
		known++;
		allowed += !sp->insns || cbpf_reaches_allow(sp->insns, sp->len, NATIVE_ARCH, nr);
	}
	if (of)
		*of = known;
	return allowed;
}

uint32_t seccomp_answer(const struct seccomp_program *sp, uint32_t arch, uint32_t nr,
			const uint64_t args[6])
{
	struct seccomp_data d = {.nr = (int)nr, .arch = arch};

	memcpy(d.args, args, sizeof(d.args));
	return sp->insns ? cbpf_run(sp->insns, sp->len, &d) : SECCOMP_RET_ALLOW;
}
