/* SPDX-License-Identifier: Apache-2.0 */
/* kubecheck - may this object be played?  See kube/kubedoc.h for what becomes a warning. */
#ifndef KUBE_KUBECHECK_H
#define KUBE_KUBECHECK_H

struct arena;
struct err;
struct kubedoc;
struct kubespec_object;

/* Errors: ERR_USAGE a value that means nothing; ERR_UNSUPPORTED one that is not possible here. */
int kubecheck_object(struct kubedoc *d, const struct kubespec_object *o, struct arena *a,
		     struct err *e);

#endif
