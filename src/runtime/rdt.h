/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdt - linux.intelRdt: a class of service of the CPU's caches and memory bandwidth, which is a
 * directory of the resctrl file system.
 * Source: runtime-spec 1.2 and 1.3, config-linux.md, "IntelRdt"; Documentation/filesystems/resctrl.
 *
 * The directory is the plan's closID, which several instances may share, or else the instance's id,
 * which goes away with it.  root: a directory that is the resctrl tree, so that tests can bring
 * one.
 */
#ifndef RUNTIME_RDT_H
#define RUNTIME_RDT_H

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct plan_rdt;

/* Words only: no path may leave the tree. */
int rdt_check(const struct plan_rdt *p, struct err *e);

/* The tree of this host; ERR_UNSUPPORTED when resctrl is not mounted. */
int rdt_open(struct err *e);

/* Make, or take over, the class and its monitoring group and write its schemata.  made: the class
 * is new.  A class that was there is joined as it is: ERR_CONFLICT when other schemata are asked.
 */
int rdt_create(int root, const struct plan_rdt *p, const char *id, bool *made, struct err *e);

/* Put a process in. */
int rdt_join(int root, const struct plan_rdt *p, const char *id, pid_t pid, struct err *e);

/* Change its schemata. */
int rdt_update(int root, const struct plan_rdt *p, const char *id, struct err *e);

/* Undo rdt_create(); nothing is there is fine. */
void rdt_remove(int root, const struct plan_rdt *p, const char *id, bool made);

#endif
