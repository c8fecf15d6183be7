/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mountopt.h"
#include "base/err.h"
#include "base/str.h"

#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum what { ATTR, RATTR, PROPAGATION, BIND, RBIND, COPY_UP, IDMAP, RIDMAP, FS, NOTHING };

/* The access time settings are one field of three values, so each clears the whole field. */
#define ATIME MOUNT_ATTR__ATIME

static const struct option {
	const char *name;
	enum what what;
	uint64_t set, clear;
} options[] = {
    {"defaults", NOTHING, 0, 0},
    {"async", NOTHING, 0, 0},
    {"bind", BIND, 0, 0},
    {"rbind", RBIND, 0, 0},
    {"tmpcopyup", COPY_UP, 0, 0},
    {"chown", NOTHING, 0, 0}, /* runtime/owners.h */
    {"idmap", IDMAP, 0, 0},
    {"ridmap", RIDMAP, 0, 0},
    {"ro", ATTR, MOUNT_ATTR_RDONLY, 0},
    {"rw", ATTR, 0, MOUNT_ATTR_RDONLY},
    {"nosuid", ATTR, MOUNT_ATTR_NOSUID, 0},
    {"suid", ATTR, 0, MOUNT_ATTR_NOSUID},
    {"nodev", ATTR, MOUNT_ATTR_NODEV, 0},
    {"dev", ATTR, 0, MOUNT_ATTR_NODEV},
    {"noexec", ATTR, MOUNT_ATTR_NOEXEC, 0},
    {"exec", ATTR, 0, MOUNT_ATTR_NOEXEC},
    {"noatime", ATTR, MOUNT_ATTR_NOATIME, ATIME},
    {"atime", ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"relatime", ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"norelatime", ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"strictatime", ATTR, MOUNT_ATTR_STRICTATIME, ATIME},
    {"nostrictatime", ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", ATTR, 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"rro", RATTR, MOUNT_ATTR_RDONLY, 0},
    {"rrw", RATTR, 0, MOUNT_ATTR_RDONLY},
    {"rnosuid", RATTR, MOUNT_ATTR_NOSUID, 0},
    {"rsuid", RATTR, 0, MOUNT_ATTR_NOSUID},
    {"rnodev", RATTR, MOUNT_ATTR_NODEV, 0},
    {"rdev", RATTR, 0, MOUNT_ATTR_NODEV},
    {"rnoexec", RATTR, MOUNT_ATTR_NOEXEC, 0},
    {"rexec", RATTR, 0, MOUNT_ATTR_NOEXEC},
    {"rnoatime", RATTR, MOUNT_ATTR_NOATIME, ATIME},
    {"ratime", RATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"rrelatime", RATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"rnorelatime", RATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"rstrictatime", RATTR, MOUNT_ATTR_STRICTATIME, ATIME},
    {"rnostrictatime", RATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"rnodiratime", RATTR, MOUNT_ATTR_NODIRATIME, 0},
    {"rdiratime", RATTR, 0, MOUNT_ATTR_NODIRATIME},
    {"rnosymfollow", RATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"rsymfollow", RATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"shared", PROPAGATION, MS_SHARED, 0},
    {"rshared", PROPAGATION, MS_SHARED | MS_REC, 0},
    {"slave", PROPAGATION, MS_SLAVE, 0},
    {"rslave", PROPAGATION, MS_SLAVE | MS_REC, 0},
    {"private", PROPAGATION, MS_PRIVATE, 0},
    {"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, 0},
    {"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
    {"runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC, 0},
    /* Flags of the superblock, which fsconfig() knows under the same names. */
    {"sync", FS, 0, 0},
    {"dirsync", FS, 0, 0},
    {"lazytime", FS, 0, 0},
    {"nolazytime", FS, 0, 0},
    {"mand", FS, 0, 0},
    {"nomand", FS, 0, 0},
    {"silent", NOTHING, 0, 0},
    {"loud", NOTHING, 0, 0},
    {"iversion", FS, 0, 0},
    {"noiversion", NOTHING, 0, 0},
    {"acl", FS, 0, 0},
    {"noacl", FS, 0, 0},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (streq(options[i].name, name))
			return &options[i];
	return NULL;
}

/* Words that only take a setting back, to which nothing else is said. */
static bool no_atime_word(const char *name)
{
	return streq(name, "atime") || streq(name, "norelatime") || streq(name, "nostrictatime");
}

static int apply(const char *word, struct arena *a, struct mountopt *m, struct err *e)
{
	const struct option *o = find(word);

	switch (o ? o->what : FS) {
	case ATTR:
		m->flags = true;
		m->atime |= (o->clear == ATIME && !no_atime_word(o->name)) ||
			    o->set == MOUNT_ATTR_NODIRATIME;
		m->set = (m->set & ~o->clear) | o->set;
		m->clear = (m->clear & ~o->set) | o->clear;
		break;
	case RATTR:
		m->rset = (m->rset & ~o->clear) | o->set;
		m->rclear = (m->rclear & ~o->set) | o->clear;
		break;
	case PROPAGATION:
		if (m->propagations == MOUNTOPT_PROPAGATIONS)
			return err_set(e, ERR_LIMIT, "more than %d propagation options",
				       MOUNTOPT_PROPAGATIONS);
		m->propagation[m->propagations++] = o->set;
		break;
	case RBIND:
		m->recursive = true;
		m->bind = true;
		break;
	case BIND:
		m->bind = true;
		break;
	case COPY_UP:
		m->copy_up = true;
		break;
	case IDMAP:
		m->idmap = true;
		break;
	case RIDMAP:
		m->ridmap = true;
		break;
	case FS:
		arena_strs_add(a, &m->data, word);
		break;
	case NOTHING:
		break;
	}
	return 0;
}

int mountopt_parse(const struct strs *words, struct arena *a, struct mountopt *out, struct err *e)
{
	struct mountopt m = {0};
	int r;

	for (size_t i = 0; i < words->n; i++) {
		r = apply(words->v[i], a, &m, e);
		if (r < 0)
			return r;
	}
	*out = m;
	return 0;
}

unsigned long mountopt_propagation(const char *word)
{
	const struct option *o = find(word);

	return o && o->what == PROPAGATION ? (unsigned long)o->set : 0;
}

const char *mountopt_name(unsigned int n)
{
	return n < OPTIONS ? options[n].name : NULL;
}
