/* SPDX-License-Identifier: Apache-2.0 */
/* kubefile - the file that `kube play` and `kube down` are given. */
#ifndef CLI_KUBEFILE_H
#define CLI_KUBEFILE_H

struct arena;
struct err;
struct kubedoc;

/* path: "-" is stdin.  Appends its objects. */
int kubefile_read(const char *path, struct arena *a, struct kubedoc *out, struct err *e);
/* On stderr, a line each. */
void kubefile_warnings(const struct kubedoc *d);

#endif
