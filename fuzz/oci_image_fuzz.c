/* SPDX-License-Identifier: Apache-2.0 */
/* oci_image - each reader keeps its promises, and what we write of a manifest reads back the same.
 */
#include "base/buf.h"
#include "base/err.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void manifest(const char *text, size_t len, struct arena *a)
{
	auto_buf struct buf one = BUF_INIT(OCI_MANIFEST_MAX * 8),
			    two = BUF_INIT(OCI_MANIFEST_MAX * 8);
	struct oci_manifest m, again;
	struct err e = ERR_INIT;

	if (oci_image_manifest(text, len, "input", a, &m, &e) < 0) {
		if (e.kind == ERR_NONE)
			abort();
		return;
	}
	if (m.layers.n > OCI_LAYERS_MAX || !digest_valid(m.config.digest))
		abort();
	oci_image_write_manifest(&m, &one);
	if (one.len > OCI_MANIFEST_MAX)
		return; /* escapes made it longer than what is read */
	if (oci_image_manifest(one.p, one.len, "written", a, &again, &e) < 0)
		abort();
	oci_image_write_manifest(&again, &two);
	if (strcmp(one.p, two.p))
		abort();
}

static void config(const char *text, size_t len, struct arena *a)
{
	struct oci_config c;

	if (oci_image_config(text, len, "input", a, &c, NULL) < 0)
		return;
	for (size_t i = 0; i < c.rootfs.diff_ids.n; i++)
		if (!digest_valid(c.rootfs.diff_ids.v[i]))
			abort();
}

/* A descriptor that we write of it can be read as part of an index. */
static void referrer(const char *text, size_t len, struct arena *a)
{
	static const char subject[] =
	    "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX * 8);
	struct oci_index x;

	buf_puts(&b, "{\"schemaVersion\":2,\"manifests\":[");
	if (!oci_image_referrer(text, len, subject, subject, NULL, false, &b))
		return;
	buf_puts(&b, "]}");
	if (b.len <= OCI_MANIFEST_MAX && !b.failed &&
	    oci_image_index(b.p, b.len, "list", a, &x, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_dupn(&a, (const char *)data, size);
	const struct oci_descriptor *d;
	struct oci_platform want;
	struct oci_index x;

	manifest(text, size, &a);
	config(text, size, &a);
	referrer(text, size, &a);
	oci_image_host(&want);
	if (oci_image_index(text, size, "input", &a, &x, NULL) == 0 &&
	    oci_image_choose(&x, &want, "input", &d, NULL) == 0 && !digest_valid(d->digest))
		abort();
	if (oci_image_platform(text, &a, &want, NULL) == 0)
		oci_image_platform_print(&want, &a);
	return 0;
}
