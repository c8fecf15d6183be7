/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mempolicy.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/cpulist.h"
#include "spec/plan.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES_MAX 1024 /* MAX_NUMNODES of the largest kernels */

/* linux/mempolicy.h; the number is the place. */
static const char *const modes[] = {
    "MPOL_DEFAULT",	   "MPOL_PREFERRED",	       "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
};
#define DEFAULT 0
#define LOCAL	4
#define MODES	(sizeof(modes) / sizeof(modes[0]))

static const struct {
	const char *name;
	int flag;
} flags[] = {
    {"MPOL_F_NUMA_BALANCING", 1 << 13},
    {"MPOL_F_RELATIVE_NODES", 1 << 14},
    {"MPOL_F_STATIC_NODES", 1 << 15},
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

const char *mempolicy_mode(unsigned int n)
{
	return n < MODES ? modes[n] : NULL;
}

const char *mempolicy_flag(unsigned int n)
{
	return n < FLAGS ? flags[n].name : NULL;
}

static unsigned int count(const unsigned long *nodes)
{
	unsigned int n = 0;

	for (size_t i = 0; i < NODES_MAX / 8 / sizeof(*nodes); i++)
		n += (unsigned int)__builtin_popcountl(nodes[i]);
	return n;
}

static int read_policy(const struct plan_memory_policy *p, int *mode, unsigned long *nodes,
		       struct err *e)
{
	size_t m = 0;
	unsigned int n;

	while (m < MODES && !(p->mode && streq(p->mode, modes[m])))
		m++;
	if (m == MODES)
		return err_set(e, ERR_USAGE,
			       "invalid memory policy mode: linux.memoryPolicy.mode: unknown '%s'",
			       p->mode ? p->mode : "");
	*mode = (int)m;
	for (size_t i = 0; i < p->flags.n; i++) {
		size_t k = 0;

		while (k < FLAGS && !streq(p->flags.v[i], flags[k].name))
			k++;
		if (k == FLAGS)
			return err_set(e, ERR_USAGE,
				       "invalid memory policy flag: linux.memoryPolicy.flags[%zu]: "
				       "unknown '%s'",
				       i, p->flags.v[i]);
		*mode |= flags[k].flag;
	}
	if (cpulist_parse(p->nodes ? p->nodes : "", (unsigned char *)nodes, NODES_MAX / 8) < 0)
		return err_set(
		    e, ERR_USAGE,
		    "invalid memory policy node: linux.memoryPolicy.nodes: wants a list such "
		    "as 0-3,7, not '%s'",
		    p->nodes);
	n = count(nodes);
	if (n && (m == DEFAULT || m == LOCAL))
		return err_set(e, ERR_USAGE,
			       "linux.memoryPolicy.nodes: mode requires 0 nodes but got %u: %s", n,
			       p->mode);
	return 0;
}

int mempolicy_check(const struct plan_memory_policy *p, struct err *e)
{
	unsigned long nodes[NODES_MAX / 8 / sizeof(unsigned long)];
	int mode;

	return read_policy(p, &mode, nodes, e);
}

int mempolicy_apply(const struct plan_memory_policy *p, struct err *e)
{
	unsigned long nodes[NODES_MAX / 8 / sizeof(unsigned long)];
	const bool none = !p->nodes || !*p->nodes;
	int mode, r = read_policy(p, &mode, nodes, e);

	if (r < 0)
		return r;
	/* The kernel reads one bit less than it is told. */
	if (syscall(SYS_set_mempolicy, mode, none ? NULL : nodes, none ? 0 : NODES_MAX + 1) == 0)
		return 0;
	if (errno == ENOSYS)
		return err_set(e, ERR_UNSUPPORTED, "linux.memoryPolicy: this kernel has no NUMA");
	return err_sys(e, "linux.memoryPolicy: %s on nodes '%s'", p->mode, none ? "" : p->nodes);
}
