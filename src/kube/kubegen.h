/* SPDX-License-Identifier: Apache-2.0 */
/* kubegen - instances and pods as a Kubernetes file, which `kube play` reads. */
#ifndef KUBE_KUBEGEN_H
#define KUBE_KUBEGEN_H

#include "base/arena.h"

struct buf;
struct err;
struct session;

struct kubegen_out {
	struct buf *yaml;
	struct strs warnings; /* options that the file cannot say, a line each */
};

/* names: pods become a Pod each, all other instances together one.  Errors: ERR_NOT_FOUND;
 * ERR_USAGE a member of a pod, or nothing named. */
int kubegen_write(struct session *s, const struct strs *names, struct arena *a,
		  struct kubegen_out *out, struct err *e);

#endif
