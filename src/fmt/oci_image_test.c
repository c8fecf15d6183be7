/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/oci_image.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static const char manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
    "\",\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"" D1
    "\",\"size\":10},\"layers\":[{\"mediaType\":\"" OCI_TYPE_LAYER "+gzip\",\"digest\":\"" D2
    "\",\"size\":20}]}";

TEST(manifest_is_read_and_written_back)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(4096);
	struct oci_manifest m;
	struct err e = ERR_INIT;

	CHECK_INT(oci_image_manifest(manifest, strlen(manifest), "m", &a, &m, &e), 0);
	CHECK_STR(m.layers.v[0].digest, D2);
	oci_image_write_manifest(&m, &b);
	CHECK_STR(b.p, manifest);
}

static int try(const char *text)
{
	auto_arena struct arena a = ARENA_INIT;
	struct oci_manifest m;
	struct err e = ERR_INIT;

	return oci_image_manifest(text, strlen(text), "m", &a, &m, &e) < 0 ? e.kind : 0;
}

TEST(hostile_manifests_are_refused)
{
	CHECK_INT(try("{}"), ERR_CORRUPT);
	CHECK_INT(try("{\"manifests\":[],\"layers\":[]}"), ERR_CORRUPT);
	CHECK_INT(try("{\"schemaVersion\":1,\"fsLayers\":[]}"), ERR_UNSUPPORTED);
	CHECK_INT(
	    try("{\"schemaVersion\":2,\"layers\":[],\"config\":{\"digest\":\"x\",\"size\":1}}"),
	    ERR_CORRUPT);
	CHECK_INT(try("{\"schemaVersion\":2,\"layers\":[],\"config\":{\"digest\":\"" D1
		      "\",\"size\":99999999}}"),
		  ERR_LIMIT);
	CHECK_INT(try("{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1
		      "\",\"size\":1},\"layers\":[{\"mediaType\":\"text/x\",\"digest\":\"" D1
		      "\",\"size\":1}]}"),
		  ERR_UNSUPPORTED);
	CHECK_INT(try("{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX
		      "\",\"layers\":[],\"config\":{\"digest\":\"" D1 "\",\"size\":1}}"),
		  ERR_CORRUPT);
}

TEST(config_of_docker_is_read)
{
	static const char text[] =
	    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2020-01-01T00:00:00Z\","
	    "\"config\":{\"User\":\"1:2\",\"Env\":[\"A=b\"],\"Cmd\":[\"sh\"],\"Entrypoint\":null,"
	    "\"Volumes\":{\"/d\":{}},\"Labels\":null,\"Unknown\":{\"x\":1}},"
	    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}}";
	auto_arena struct arena a = ARENA_INIT;
	struct oci_config c;
	struct err e = ERR_INIT;

	CHECK_INT(oci_image_config(text, strlen(text), "c", &a, &c, &e), 0);
	CHECK_STR(c.config.cmd.v[0], "sh");
	CHECK_STR(c.config.volumes.v[0], "/d");
	CHECK_STR(c.rootfs.diff_ids.v[0], D1);
	CHECK_INT(c.config.entrypoint.n, 0);
}

TEST(platform_is_chosen)
{
	static const char text[] =
	    "{\"schemaVersion\":2,\"manifests\":["
	    "{\"digest\":\"" D1
	    "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
	    "{\"digest\":\"" D2
	    "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}";
	auto_arena struct arena a = ARENA_INIT;
	const struct oci_descriptor *d;
	struct oci_platform p;
	struct oci_index x;
	struct err e = ERR_INIT;

	CHECK_INT(oci_image_index(text, strlen(text), "i", &a, &x, &e), 0);
	CHECK_INT(oci_image_platform("linux/x86_64", &a, &p, &e), 0);
	CHECK_INT(oci_image_choose(&x, &p, "i", &d, &e), 0);
	CHECK_STR(d->digest, D2);
	CHECK_INT(oci_image_platform("linux/s390x", &a, &p, &e), 0);
	CHECK(oci_image_choose(&x, &p, "i", &d, &e) < 0);
	CHECK_STR(e.msg,
		  "i has nothing for platform linux/s390x, only for: linux/arm64 linux/amd64");
	CHECK(oci_image_platform("a/b/c/d", &a, &p, &e) < 0);
	CHECK(oci_image_platform("", &a, &p, &e) < 0);
}

TEST_MAIN(T(manifest_is_read_and_written_back), T(hostile_manifests_are_refused),
	  T(config_of_docker_is_read), T(platform_is_chosen))
