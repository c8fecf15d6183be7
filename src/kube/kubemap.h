/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubemap - a pod of Kubernetes as requests: one for the pod, one for each container.
 *
 * The volumes that the requests name are made by kube/kubevolume.h.
 */
#ifndef KUBE_KUBEMAP_H
#define KUBE_KUBEMAP_H

#include "kube/kubedoc.h"

#include <stdint.h>

struct err;
struct request;

#define KUBEMAP_OBJECT	  "io.caisson.kube.object"    /* label: "Pod/web", "Deployment/api" */
#define KUBEMAP_CONTAINER "io.caisson.kube.container" /* label: its name in the pod */
#define KUBEMAP_ISOLATION "io.caisson.isolation"      /* annotation: container or vm */

struct kubemap {
	struct kubedoc *doc; /* ConfigMaps, Secrets, warnings */
	struct arena *a;
	const char *object; /* "Deployment/api" */
	const char *name;   /* of the pod */
	const struct kubespec_meta *meta;
	const struct kubespec_pod *spec;
	int isolation; /* enum plan_isolation */
};

/* Which wall the annotation or the runtime class asks for; neither: preset.  ERR_USAGE. */
int kubemap_isolation(const struct kubespec_meta *meta, const struct kubespec_pod *spec, int preset,
		      int *out, struct err *e);

/* *share: of pod_create().  ERR_USAGE, ERR_UNSUPPORTED, ERR_NOT_FOUND a ConfigMap. */
int kubemap_pod(const struct kubemap *m, struct request *pod, const char **share, struct err *e);
/* Without .pod. */
int kubemap_container(const struct kubemap *m, const struct kubespec_container *c, bool init,
		      struct request *q, struct err *e);
/* "web-data": the volume behind an emptyDir, configMap or secret; a claim's own name. */
const char *kubemap_volume(const struct kubemap *m, const struct kubespec_volume *v);

#endif
