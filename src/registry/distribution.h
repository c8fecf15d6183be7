/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribution - a repository of a registry, as an image source.
 * Source: OCI distribution-spec v1.1; token authentication as the distribution project describes
 * it.
 */
#ifndef REGISTRY_DISTRIBUTION_H
#define REGISTRY_DISTRIBUTION_H

struct err;
struct source;

struct distribution_opts {
	const char *host;	   /* "docker.io", "localhost:5000" */
	const char *repository;	   /* "library/debian" */
	const char *home;	   /* where .docker/config.json is, or NULL */
	const char *docker_config; /* directory that replaces it, or NULL */
	const char *ca_file;	   /* NULL: the system's */
	long stall_seconds;	   /* 0: default */
};

/* Reads the credentials; nothing is sent yet. */
int distribution_open(const struct distribution_opts *o, struct source **out, struct err *e);

#endif
