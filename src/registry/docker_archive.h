/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_archive - the format of `docker save`: manifest.json names, for each image, a
 * configuration, its tags, and one tar per layer.  It has no manifest of its own; we write one,
 * always the same for the same archive.  Source: moby, image/spec v1.2, "Combined Image JSON +
 * Filesystem Changeset Format".
 */
#ifndef REGISTRY_DOCKER_ARCHIVE_H
#define REGISTRY_DOCKER_ARCHIVE_H

struct source;
struct tarball;

/* Takes t over. */
struct source *docker_archive_new(struct tarball *t);

#endif
