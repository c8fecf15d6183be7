/* SPDX-License-Identifier: Apache-2.0 */
/* kubeprobe - probes as the health check of an instance. */
#ifndef KUBE_KUBEPROBE_H
#define KUBE_KUBEPROBE_H

#include "kube/kubemap.h"

/* livenessProbe: a check, and a container that fails it is killed, so that its policy starts it
 * again.  startupProbe: how long the first may fail.  Without a livenessProbe one of the others is
 * the check (a startupProbe kills, a readinessProbe does not).  ERR_USAGE: a port without number.
 */
int kubeprobe_map(const struct kubemap *m, const struct kubespec_container *c, struct request *q,
		  struct err *e);

#endif
