/* SPDX-License-Identifier: Apache-2.0 */
/* kubeplay - what a Kubernetes file asks for comes to be on this machine, and goes again. */
#ifndef KUBE_KUBEPLAY_H
#define KUBE_KUBEPLAY_H

#include "kube/kubedoc.h"

#include <stdbool.h>

struct err;
struct session;

struct kubeplay_opts {
	bool replace; /* what the same object made goes first */
	bool create;  /* only: nothing is started */
	const char *network;
	int isolation; /* enum plan_isolation, where the object does not say */
	/* Each pod, when it is there as asked, and then each of its containers. */
	void (*made)(const char *what, const char *id, void *arg);
	void *arg;
};

/* Warnings are appended to doc.  What an object made goes again when it fails; objects before it
 * stay.  Errors: those of kubemap, create and start; ERR_EXISTS without replace. */
int kubeplay_up(struct session *s, struct kubedoc *doc, const struct kubeplay_opts *o,
		struct arena *a, struct err *e);

/* Pods that the objects of doc made, with their volumes; volumes: those of claims, too.  What is
 * not there is no error. */
int kubeplay_down(struct session *s, const struct kubedoc *doc, bool volumes,
		  void (*gone)(const char *what, const char *id, void *arg), void *arg,
		  struct arena *a, struct err *e);

#endif
