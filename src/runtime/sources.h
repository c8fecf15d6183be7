/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - the root and the bind sources of a process that may not open them itself.
 *
 * A process in a user namespace has no privilege over the host's files, and cannot shift ids.  A
 * helper of the caller's privilege goes into the process's own mount namespace and opens there what
 * the process asks for, one after the other.  In there and not outside, because the kernel locks
 * the flags of mounts that a user namespace inherits: a copy of the host's read-only mount made
 * outside could be made writable again by root inside.  And because a source may lie on a mount
 * that was made a moment before.
 */
#ifndef RUNTIME_SOURCES_H
#define RUNTIME_SOURCES_H

struct err;
struct job;
struct launch;

enum { SOURCES_ROOT = -1, SOURCES_END = -2 };

/* The parent: start the helper and wait until the child has said that it wants no more. */
int sources_serve(struct job *j, const struct launch *l, struct err *e);

/* The child: the descriptor of plan mount number which, or of SOURCES_ROOT; -ENOTBLK: it is for the
 * child to open. */
int sources_want(const struct job *j, int which, struct err *e);

/* The child: no more. */
int sources_end(const struct job *j, struct err *e);

#endif
