/* SPDX-License-Identifier: Apache-2.0 */
/* du - disk space that a file or a tree takes: blocks, not lengths, so that holes cost nothing and
 * a hard link is counted once. */
#ifndef SYS_DU_H
#define SYS_DU_H

#include <stdint.h>

/* Add what dir_fd/name and all below it take, in bytes, to *bytes.  Links are not followed and
 * other file systems not entered.  What is not there, or goes away meanwhile, takes nothing. 0 or
 * -errno when something cannot be read; what was seen is added then too. */
int du_add(int dir_fd, const char *name, uint64_t *bytes);

#endif
