/* SPDX-License-Identifier: Apache-2.0 */
/* template_func - the functions of --format templates: Go's own and those that docker adds. */
#ifndef CLI_TEMPLATE_FUNC_H
#define CLI_TEMPLATE_FUNC_H

#include <stddef.h>

struct template_run;
struct template_value;

/* -ENOSYS, without an error set: no such function, or not with that many arguments. */
int template_func(struct template_run *r, const char *name, const struct template_value *v,
		  size_t n, struct template_value *out);

#endif
