/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_image - the documents of an image: index, manifest, configuration, in OCI and Docker v2s2
 * form.
 *
 * All three are an attacker's.  Reading checks syntax, types, limits and what must hold between
 * members (digests well formed, counts bounded, never both "manifests" and "layers":
 * CVE-2021-41190); that the bytes have the digest they were asked for by is the caller's to check.
 * Source: OCI image-spec v1.1 (image-index.md, manifest.md, config.md), Docker "Image Manifest V2,
 * Schema 2".
 */
#ifndef FMT_OCI_IMAGE_H
#define FMT_OCI_IMAGE_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

/* Limits on what an image may ask of us. */
#define OCI_MANIFEST_MAX  (4u << 20)   /* bytes, as the distribution specification suggests */
#define OCI_CONFIG_MAX	  (8u << 20)   /* bytes */
#define OCI_LAYERS_MAX	  127	       /* what docker allows, and overlayfs carries */
#define OCI_MANIFESTS_MAX 4096	       /* entries of one index */
#define OCI_INDEX_DEPTH	  3	       /* indexes inside indexes */
#define OCI_BLOB_MAX	  (1ull << 40) /* bytes of one layer, compressed */

#define OCI_TYPE_INDEX	     "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_CONFIG	     "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_LAYER	     "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_TYPE_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_TYPE_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_TYPE_CONFIG   "application/vnd.docker.container.image.v1+json"
#define DOCKER_TYPE_LAYER    "application/vnd.docker.image.rootfs.diff.tar"

struct oci_platform {
	const char *architecture, *os, *variant, *os_version; /* NULL where not given */
};

struct oci_descriptor {
	const char *media_type, *digest;
	uint64_t size;
	struct jbind_map annotations;
	struct oci_platform *platform;
};
struct oci_descriptors {
	struct oci_descriptor *v;
	size_t n;
};

struct oci_index {
	int32_t schema_version;
	const char *media_type;
	struct oci_descriptors manifests;
};

struct oci_manifest {
	int32_t schema_version;
	const char *media_type;
	struct oci_descriptor config;
	struct oci_descriptors layers; /* bottom first */
	struct jbind_map annotations;
};

struct oci_history {
	const char *created, *created_by, *author, *comment;
	bool empty_layer;
};
struct oci_histories {
	struct oci_history *v;
	size_t n;
};

/* What an image says about running it; the attacker's wishes, not orders. */
struct oci_process {
	const char *user, *working_dir, *stop_signal;
	struct strs env, entrypoint, cmd, shell, on_build, volumes, exposed_ports;
	struct jbind_map labels;
	const char *healthcheck; /* JSON text, or NULL */
	bool args_escaped;
};

struct oci_rootfs {
	const char *type;
	struct strs diff_ids; /* bottom first */
};

struct oci_config {
	const char *created, *author;
	struct oci_platform platform;
	struct oci_process config;
	struct oci_rootfs rootfs;
	struct oci_histories history;
};

enum oci_kind { OCI_MANIFEST, OCI_INDEX };

/* Which of the two a document is, by what is in it; a media type that says otherwise is an error.
 * media_type: what the transport said, or NULL. */
int oci_image_kind(const char *text, size_t len, const char *media_type, const char *what,
		   struct err *e);
int oci_image_index(const char *text, size_t len, const char *what, struct arena *a,
		    struct oci_index *out, struct err *e);
int oci_image_manifest(const char *text, size_t len, const char *what, struct arena *a,
		       struct oci_manifest *out, struct err *e);
/* A manifest of anything (signatures, bills of materials): configuration and layers of any type. */
int oci_image_artifact(const char *text, size_t len, const char *what, struct arena *a,
		       struct oci_manifest *out, struct err *e);
int oci_image_config(const char *text, size_t len, const char *what, struct arena *a,
		     struct oci_config *out, struct err *e);

/* The configuration's layers and the manifest's are the same ones. */
int oci_image_match(const struct oci_manifest *m, const struct oci_config *c, const char *what,
		    struct err *e);

/* The media type a manifest goes by; it need not say one itself. */
const char *oci_image_type(const struct oci_manifest *m);

/* Is this manifest (of that digest) about `subject`?  Then its descriptor goes to out, behind a
 * comma if `more`.  artifact_type: only of that one, or NULL.  Returns how many were written.
 * Source: OCI distribution-spec v1.1, "Listing Referrers". */
int oci_image_referrer(const char *text, size_t len, const char *digest, const char *subject,
		       const char *artifact_type, bool more, struct buf *out);

void oci_image_write_manifest(const struct oci_manifest *m, struct buf *out);
void oci_image_write_config(const struct oci_config *c, struct buf *out);

/* "linux/amd64", "linux/arm/v7", "arm64"; the host's own platform. */
int oci_image_platform(const char *s, struct arena *a, struct oci_platform *out, struct err *e);
void oci_image_host(struct oci_platform *out);
const char *oci_image_platform_print(const struct oci_platform *p, struct arena *a);
/* Does an image made for have run where want is asked for?  Absent variant: any. */
bool oci_image_fits(const struct oci_platform *have, const struct oci_platform *want);

/* The entry of an index for a platform; *out points into index.  ERR_NOT_FOUND lists what there is.
 */
int oci_image_choose(const struct oci_index *index, const struct oci_platform *want,
		     const char *what, const struct oci_descriptor **out, struct err *e);

#endif
