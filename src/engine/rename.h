/* SPDX-License-Identifier: Apache-2.0 */
/* rename - an instance gets another name. */
#ifndef ENGINE_RENAME_H
#define ENGINE_RENAME_H

struct err;
struct lookup;
struct session;

/* Errors: ERR_USAGE a bad name or the present one, ERR_EXISTS it is in use. */
int rename_instance(struct session *s, const struct lookup *l, const char *name, struct err *e);

#endif
