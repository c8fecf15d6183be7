/* SPDX-License-Identifier: Apache-2.0 */
/* nsset - the namespaces of a plan: those to make and those to join. */
#ifndef RUNTIME_NSSET_H
#define RUNTIME_NSSET_H

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct plan;
struct plan_idmaps;

#define NSSET_MAX 8

struct nsset {
	unsigned int make; /* CLONE_NEW* */
	unsigned int join; /* CLONE_NEW* */
	int fd[NSSET_MAX]; /* of those to join, by index of nsset_flag(); else -1 */
};
#define NSSET_INIT ((struct nsset){.fd = {-1, -1, -1, -1, -1, -1, -1, -1}})

/* Index to CLONE_NEW* flag and OCI name ("network"), and back (0 when unknown). */
unsigned int nsset_flag(unsigned int index);
const char *nsset_name(unsigned int index);
unsigned int nsset_flag_of(const char *name);

/* Collect the plan's namespaces; opens the paths of those to join.  Errors: ERR_USAGE for an
 * unknown type or one named twice, ERR_NOT_FOUND. */
int nsset_read(const struct plan *p, struct nsset *out, struct err *e);
/* The descriptor of one to join, or -1. */
int nsset_fd(const struct nsset *s, unsigned int flag);
void nsset_close(struct nsset *s);

/* Only the kinds the plan names, new or joined: what a process must join to be in the instance. */
int nsset_read_kinds(const struct plan *p, unsigned int *flags, struct err *e);

/* Join those of s whose flag is in mask.  The user namespace comes last of all that the caller's
 * own privileges open and first of the others: a namespace made by the engine belongs to the
 * host's user namespace, one made inside belongs to the joined one. */
int nsset_join(const struct nsset *s, unsigned int mask, struct err *e);

/* Write uid_map, gid_map of the process: directly with privilege, else by newuidmap/newgidmap, or
 * for a single own id with setgroups denied. */
int nsset_map(pid_t pid, const struct plan_idmaps *uids, const struct plan_idmaps *gids,
	      struct err *e);

/* A user namespace that has these maps and no process, for idmapped mounts: a descriptor. */
int nsset_userns(const struct plan_idmaps *uids, const struct plan_idmaps *gids, struct err *e);

#endif
