/* SPDX-License-Identifier: Apache-2.0 */
/* kubeenv - the environment of a container, and $(NAME) in what refers to it. */
#ifndef KUBE_KUBEENV_H
#define KUBE_KUBEENV_H

#include "kube/kubemap.h"

/* Append KEY=VALUE of envFrom, then of env; later ones win.  ERR_NOT_FOUND a ConfigMap, Secret or
 * key that is not optional; ERR_UNSUPPORTED a field of the pod that is not known here. */
int kubeenv_list(const struct kubemap *m, const struct kubespec_container *c, struct strs *out,
		 struct err *e);

/* $(NAME) becomes the value where env has one, $$ becomes $; in the map's arena. */
const char *kubeenv_expand(const struct kubemap *m, const char *text, const struct strs *env);

/* A value of a Secret, decoded, with its length; NULL: no base64. */
const char *kubeenv_decode(const char *base64, struct arena *a, size_t *len);

#endif
