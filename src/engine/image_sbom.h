/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_sbom - the packages of a reviewed image as a bill of materials: SPDX 2.3 or CycloneDX 1.5,
 * both as JSON.  Nothing but the image goes in (its creation time, its manifest's digest), so the
 * same image gives the same bytes.
 * Source: spdx.github.io/spdx-spec/v2.3, cyclonedx.org/docs/1.5/json, package-url "purl-spec".
 */
#ifndef ENGINE_IMAGE_SBOM_H
#define ENGINE_IMAGE_SBOM_H

struct buf;
struct image_review;

void image_sbom_spdx(const struct image_review *v, struct buf *out);
void image_sbom_cyclonedx(const struct image_review *v, struct buf *out);

#endif
