/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cachedoc.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/jbind.h"

#include <string.h>

static const struct jbind_field step_fields[] = {
    JB(struct cachedoc_step, key, "key", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct cachedoc_step, diff_id, "diffId", JBIND_STR),
    JB(struct cachedoc_step, step, "step", JBIND_STR),
    JB(struct cachedoc_step, created_ns, "created", JBIND_INT, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind step_table = {sizeof(struct cachedoc_step), step_fields, false};

static const struct jbind_field mount_fields[] = {
    JB(struct cachedoc_mount, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct cachedoc_mount, diff_id, "diffId", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct cachedoc_mount, uid, "uid", JBIND_U32),
    JB(struct cachedoc_mount, gid, "gid", JBIND_U32),
    JB(struct cachedoc_mount, mode, "mode", JBIND_U32, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind mount_table = {sizeof(struct cachedoc_mount), mount_fields, false};

static const struct jbind_field fields[] = {
    JB(struct cachedoc, version, "version", JBIND_I32, .flags = JBIND_REQUIRED),
    JB(struct cachedoc, steps, "steps", JBIND_LIST, .sub = &step_table),
    JB(struct cachedoc, mounts, "mounts", JBIND_LIST, .sub = &mount_table),
    JB_END,
};
static const struct jbind table = {sizeof(struct cachedoc), fields, false};

static bool is_hex(const char *s, const char *behind)
{
	return strspn(s, "0123456789abcdef") == DIGEST_HEX && streq(s + DIGEST_HEX, behind);
}

static int check(const struct cachedoc *d, struct err *e)
{
	if (d->version != CACHEDOC_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "a build cache of version %d, this is %d",
			       d->version, CACHEDOC_VERSION);
	if (d->steps.n > CACHEDOC_STEPS_MAX || d->mounts.n > CACHEDOC_MOUNTS_MAX)
		return err_set(e, ERR_LIMIT, "a build cache of more than %d steps or %d mounts",
			       CACHEDOC_STEPS_MAX, CACHEDOC_MOUNTS_MAX);
	for (size_t i = 0; i < d->steps.n; i++)
		if (!is_hex(d->steps.v[i].key, "") ||
		    (d->steps.v[i].diff_id && !digest_valid(d->steps.v[i].diff_id)))
			return err_set(e, ERR_CORRUPT, "steps[%zu]: no key, or no digest", i);
	for (size_t i = 0; i < d->mounts.n; i++)
		if (!is_hex(d->mounts.v[i].name, "-0") || !digest_valid(d->mounts.v[i].diff_id) ||
		    d->mounts.v[i].mode > 07777 || d->mounts.v[i].uid == UINT32_MAX ||
		    d->mounts.v[i].gid == UINT32_MAX)
			return err_set(e, ERR_CORRUPT, "mounts[%zu]: no name, digest or mode", i);
	return 0;
}

int cachedoc_parse(const char *text, size_t len, struct arena *a, struct cachedoc *out,
		   struct err *e)
{
	struct cachedoc d = {0};
	int r = jbind_parse(&table, text, len, &d, a, "build cache", e);

	if (r >= 0)
		r = check(&d, e);
	if (r >= 0)
		*out = d;
	return r;
}

void cachedoc_write(const struct cachedoc *d, struct buf *out)
{
	jbind_write(&table, d, out);
}
