/* SPDX-License-Identifier: Apache-2.0 */
/* masks - paths hidden from an instance or made read-only.  Called before the old root goes. */
#ifndef RUNTIME_MASKS_H
#define RUNTIME_MASKS_H

struct err;
struct job;

int masks_apply(struct job *j, struct err *e);

#endif
