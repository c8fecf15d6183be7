/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/capset.h"
#include "base/arena.h"
#include "base/err.h"
#include "spec/plan.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By number, as in the kernel's capability.h; libcap would be a library for this one table. */
static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
#define NAMES ((int)(sizeof(names) / sizeof(names[0])))

int capset_number(const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (strcasecmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *capset_name(int n)
{
	if (n < 0 || n >= NAMES || prctl(PR_CAPBSET_READ, n, 0, 0, 0) < 0)
		return NULL;
	return names[n];
}

static uint64_t bits(const struct strs *s, const char **unknown)
{
	uint64_t b = 0;

	for (size_t i = 0; i < s->n; i++) {
		int n = capset_number(s->v[i]);

		if (n >= 0)
			b |= 1ULL << n;
		else if (!*unknown)
			*unknown = s->v[i];
	}
	return b;
}

void capset_read(const struct plan_caps *c, struct capset *out, const char **unknown)
{
	const char *none = NULL;
	struct capset s = {0};

	if (c) {
		s.bounding = bits(&c->bounding, &none);
		s.effective = bits(&c->effective, &none);
		s.inheritable = bits(&c->inheritable, &none);
		s.permitted = bits(&c->permitted, &none);
		s.ambient = bits(&c->ambient, &none);
	}
	*out = s;
	if (unknown)
		*unknown = none;
}

int capset_bound(const struct capset *c, struct err *e)
{
	for (int i = 0; i < 64; i++) {
		if (c->bounding & 1ULL << i)
			continue;
		/* EINVAL: behind the last capability of this kernel. */
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
			return err_sys(e, "drop capability %d from the bounding set", i);
		}
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, "keep capabilities over setuid");
	return 0;
}

static int get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &h, data) < 0 ? -errno : 0;
}

static int set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
	    {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
	    {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
	     (uint32_t)(inheritable >> 32)},
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

bool capset_have(int n)
{
	struct __user_cap_data_struct d[2] = {{0}};

	return get(d) == 0 && d[n / 32].effective & 1U << n % 32;
}

int capset_apply(const struct capset *c, uint64_t keep, struct err *e)
{
	struct __user_cap_data_struct d[2] = {{0}};
	uint64_t have;
	int r;

	if (get(d) < 0)
		return err_sys(e, "read capabilities");
	/* What the caller does not have it cannot give: left out, as runc does. */
	have = d[0].permitted | (uint64_t)d[1].permitted << 32;
	r = set(((c->effective & c->permitted) | keep) & have, (c->permitted | keep) & have,
		c->inheritable & have);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "set capabilities");
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < NAMES; i++)
		/* Refused unless also permitted and inheritable: then it simply is not ambient. */
		if (c->ambient & 1ULL << i)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
	return 0;
}
