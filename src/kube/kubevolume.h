/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubevolume - what stands behind the volumes of a pod: directories of the host, and named volumes
 * of the engine for emptyDir, configMap and secret (labelled as the pod's, and gone with it) and
 * for claims (which stay).
 */
#ifndef KUBE_KUBEVOLUME_H
#define KUBE_KUBEVOLUME_H

#include "kube/kubemap.h"

struct err;
struct session;

#define KUBEVOLUME_POD "io.caisson.kube.pod" /* label: whose */
#define KUBEVOLUME_KIND                                                                            \
	"io.caisson.kube.volume" /* label: "emptyDir", "ConfigMap/x", "Secret/x"                   \
				  */

/* Errors: ERR_NOT_FOUND a ConfigMap, a Secret, or a hostPath of another type; ERR_EXISTS a volume
 * of that name that is somebody else's. */
int kubevolume_make(struct session *s, const struct kubemap *m, struct err *e);
/* A PersistentVolumeClaim. */
int kubevolume_claim(struct session *s, const struct kubespec_object *o, struct arena *a,
		     struct err *e);
/* Those of this pod. */
int kubevolume_remove(struct session *s, const char *pod, struct arena *a, struct err *e);

#endif
