/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/emulated.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/str.h"
#include "engine/info.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/jbind.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* vmm/probe.c writes it. */
struct cached {
	const char *kvm, *why, *boot_id;
	uint64_t user;
};
static const struct jbind cached_table = {
    .size = sizeof(struct cached),
    .fields = (const struct jbind_field[]){JB(struct cached, kvm, "kvm", JBIND_STR),
					   JB(struct cached, why, "why", JBIND_STR),
					   JB(struct cached, boot_id, "bootId", JBIND_STR),
					   JB(struct cached, user, "user", JBIND_UINT), JB_END},
};

static const char *boot_id(struct arena *a)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, BOOT_ID, 64, &text);

	return n > 0 ? arena_dupn(a, text, strcspn(text, "\n")) : "";
}

struct emulated emulated_known(const struct session *s, struct arena *a)
{
	auto_free char *text = NULL;
	struct cached c = {0};
	ssize_t n =
	    file_read(AT_FDCWD, arena_printf(a, "%s/cache/vm/probe.json", s->root), 4096, &text);

	if (n <= 0 || jbind_parse(&cached_table, text, (size_t)n, &c, a, "probe.json", NULL) < 0 ||
	    !c.kvm || !c.boot_id || !streq(c.boot_id, boot_id(a)) || c.user != geteuid())
		return (struct emulated){0};
	return (struct emulated){streq(c.kvm, "usable") ? "kvm" : "tcg", c.why};
}

/* A file with the id of the boot in which it was said last. */
static bool said(int dir, const char *now)
{
	auto_free char *then = NULL;

	return file_read(dir, "tcg-told", 64, &then) > 0 && streq(then, now);
}

const char *emulated_warning(struct session *s, const struct request *q, struct arena *a)
{
	const char *now = boot_id(a), *accel;
	auto_fd int dir = -1;

	if (q->isolation != PLAN_VM || q->machine || q->accel)
		return NULL;
	mkdir(arena_printf(a, "%s/cache", s->root), 0700);
	mkdir(arena_printf(a, "%s/cache/vm", s->root), 0755);
	dir = open(arena_printf(a, "%s/cache/vm", s->root), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || said(dir, now))
		return NULL;
	accel = emulated_known(s, a).accel;
	if (!accel)
		accel = info_accelerator(s, a);
	if (!accel || file_replace(dir, "tcg-told", now, strlen(now), 0644, FILE_LAZY) < 0)
		return NULL;
	return streq(accel, "tcg") ? INFO_EMULATED : NULL;
}
