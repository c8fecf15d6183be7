/* SPDX-License-Identifier: Apache-2.0 */
/* Images of one small layer, made here; mounts happen in a mount namespace of the test's own. */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/test.h"
#include "spec/plan.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct world {
	char dir[32];
	struct store *s;
	struct err e;
};

static int world_open(struct world *w)
{
	char root[64], run[64];

	*w = (struct world){.dir = "/tmp/caisson-test-XXXXXX"};
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(w->dir))
		return -1;
	snprintf(root, sizeof(root), "%s/root", w->dir);
	snprintf(run, sizeof(run), "%s/run", w->dir);
	return store_open(root, run, &w->s, &w->e);
}

static void world_close(struct world *w)
{
	rootfs_unpin(w->s, NULL);
	store_close(w->s);
	path_remove(AT_FDCWD, w->dir);
}

/* A ustar archive of one file "name" with the text, in one piece of 2048 bytes. */
static void make_tar(char tar[2048], const char *name, const char *text)
{
	unsigned int sum = 0;

	memset(tar, 0, 2048);
	snprintf(tar, 100, "%s", name);
	memcpy(tar + 100,
	       "0000644\0"
	       "0000000\0"
	       "0000000\0",
	       24);
	snprintf(tar + 124, 12, "%011o", (unsigned int)strlen(text));
	memcpy(tar + 136, "00000000000", 12);
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	snprintf(tar + 148, 8, "%06o", sum);
	memcpy(tar + 512, text, strlen(text));
}

static int make_image(struct world *w, const char *name, const char *text)
{
	auto_arena struct arena a = ARENA_INIT;
	char tar[2048], layer[DIGEST_LEN + 1], config[DIGEST_LEN + 1], manifest[DIGEST_LEN + 1];
	struct stage *st = NULL;
	struct strs names = {0};
	struct layer l;
	const char *doc;
	int r = stage_new(w->s, &st, &w->e);

	make_tar(tar, "hello", text);
	if (r >= 0)
		r = blob_put(w->s, st, tar, sizeof(tar), layer, &w->e);
	if (r < 0)
		goto out;
	doc = arena_printf(
	    &a,
	    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"x\"]},"
	    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
	    layer);
	r = blob_put(w->s, st, doc, strlen(doc), config, &w->e);
	if (r < 0)
		goto out;
	doc = arena_printf(
	    &a,
	    "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":"
	    "[{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":\"%s\",\"size\":2048}]}",
	    config, strlen(doc), layer);
	r = blob_put(w->s, st, doc, strlen(doc), manifest, &w->e);
	if (r >= 0)
		r = unpacker_need(w->s, layer, layer, LAYER_EROFS, &a, &l, &w->e);
	if (name)
		arena_strs_add(&a, &names, name);
	if (r >= 0)
		r = image_commit(w->s, st, manifest, NULL, &names, NULL, &w->e);
out:
	stage_free(st);
	return r;
}

#define WORLD(w)                                                                                   \
	struct world w;                                                                            \
	auto_arena struct arena a = ARENA_INIT;                                                    \
	struct image *i = NULL;                                                                    \
	if (geteuid() != 0)                                                                        \
		SKIP("needs root");                                                                \
	CHECK_INT(world_open(&w), 0);                                                              \
	CHECK(!i && store_helper(w.s, "caisson-unpack", &a))

/* What a runtime does: enter the namespace, look at the lower directory. */
static int read_in_ns(const struct plan_rootfs *fs, char *out, size_t len)
{
	auto_fd int self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd int ns = open(fs->layer_ns, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct stat st;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s/hello", fs->lower.v[0]);
	if (stat(path, &st) == 0)
		return -1; /* the mount must not be seen here */
	if (setns(ns, CLONE_NEWNS) < 0)
		return -errno;
	r = (int)file_read(AT_FDCWD, path, len - 1, &text);
	if (r >= 0)
		snprintf(out, len, "%s", text);
	if (r >= 0 && stat(fs->upper, &st) < 0)
		r = -ENOENT;
	if (setns(self, CLONE_NEWNS) < 0)
		return -errno;
	return r;
}

TEST(layers_are_mounted_in_the_pinned_namespace)
{
	struct plan_rootfs fs = {0}, again = {0};
	char text[64] = "";
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "hi there"), 0);
	CHECK_INT(image_find(w.s, "x", NULL, &i, &w.e), 0);
	if (rootfs_prepare(w.s, i, "abc", PLAN_CONTAINER, false, &a, &fs, &w.e) < 0)
		printf("# %s\n", w.e.msg);
	CHECK_INT(fs.lower.n, 1);
	CHECK(fs.layer_ns);
	CHECK_INT(read_in_ns(&fs, text, sizeof(text)), 8);
	CHECK_STR(text, "hi there");
	CHECK_INT(rootfs_prepare(w.s, i, "def", PLAN_CONTAINER, true, &a, &again, &w.e), 0);
	CHECK(!again.upper);
	CHECK_STR(again.lower.v[0], fs.lower.v[0]);
	CHECK_INT(rootfs_remove(w.s, "abc", &w.e), 0);
	CHECK(access(fs.upper, F_OK) < 0);
	image_close(i);
	world_close(&w);
}

TEST(collection_unmounts_and_deletes)
{
	struct plan_rootfs fs = {0};
	struct image_removed gone;
	struct gc_result sum;
	char text[64];
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "hi"), 0);
	CHECK_INT(image_find(w.s, "x", NULL, &i, &w.e), 0);
	CHECK_INT(rootfs_prepare(w.s, i, "abc", PLAN_CONTAINER, false, &a, &fs, &w.e), 0);
	image_close(i);
	CHECK_INT(gc_run(w.s, &sum, &w.e), 0);
	CHECK_INT(sum.blobs + sum.layers + sum.metas, 0);
	CHECK_INT(image_remove(w.s, "x", false, &a, &gone, &w.e), 0);
	CHECK(gone.deleted);
	CHECK_INT(gc_run(w.s, &sum, &w.e), 0);
	CHECK_INT(sum.blobs, 3);
	CHECK_INT(sum.layers, 1);
	CHECK(read_in_ns(&fs, text, sizeof(text)) < 0);
	world_close(&w);
}

TEST(lost_layer_is_made_again_from_its_blob)
{
	struct plan_rootfs fs = {0};
	char text[64] = "";
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "back"), 0);
	CHECK_INT(image_find(w.s, "x", NULL, &i, &w.e), 0);
	CHECK_INT(layer_remove(w.s, i->record.layers.v[0], &w.e), 0);
	CHECK_INT(rootfs_prepare(w.s, i, "abc", PLAN_CONTAINER, false, &a, &fs, &w.e), 0);
	CHECK_INT(read_in_ns(&fs, text, sizeof(text)), 4);
	image_close(i);
	world_close(&w);
}

TEST(directories_where_erofs_cannot_be_mounted)
{
	struct plan_rootfs fs = {0};
	struct stat st;
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "dir"), 0);
	CHECK_INT(file_replace(store_run_fd(w.s), "layer-form", "dir\n", 4, 0600, FILE_LAZY), 0);
	CHECK_INT(image_find(w.s, "x", NULL, &i, &w.e), 0);
	CHECK_INT(rootfs_prepare(w.s, i, "abc", PLAN_CONTAINER, false, &a, &fs, &w.e), 0);
	CHECK(!fs.layer_ns);
	CHECK_INT(stat(arena_printf(&a, "%s/hello", fs.lower.v[0]), &st), 0);
	CHECK_INT(st.st_size, 3);
	image_close(i);
	world_close(&w);
}

TEST(a_vm_gets_files)
{
	struct plan_rootfs fs = {0};
	struct stat st;
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "vm"), 0);
	CHECK_INT(image_find(w.s, "x", NULL, &i, &w.e), 0);
	if (rootfs_prepare(w.s, i, "abc", PLAN_VM, false, &a, &fs, &w.e) < 0)
		printf("# %s\n", w.e.msg);
	CHECK_INT(fs.disk.n, 2);
	for (size_t k = 0; k < fs.disk.n; k++) {
		CHECK_INT(stat(fs.disk.v[k], &st), 0);
		CHECK(st.st_size > 0 && st.st_size % 4096 == 0);
	}
	CHECK_INT(stat(fs.disk_rw, &st), 0);
	CHECK_INT(st.st_size, ROOTFS_DISK_BYTES);
	CHECK(st.st_blocks < 20480);
	image_close(i);
	world_close(&w);
}

TEST(names_ids_and_users)
{
	struct image_removed gone;
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "one"), 0);
	CHECK_INT(make_image(&w, "docker.io/library/y:latest", "two"), 0);
	CHECK(image_find(w.s, "z", NULL, &i, &w.e) == -ENOENT);
	CHECK_STR(w.e.msg, "no image 'z'");
	CHECK_INT(image_find(w.s, "x:latest", NULL, &i, &w.e), 0);
	CHECK_INT(image_tag(w.s, i, "z:2", &w.e), 0);
	CHECK_INT(image_names(w.s, i)->n, 2);
	/* By id and by the beginning of one. */
	{
		const char *id = arena_dup(&a, i->record.id);
		const char *prefix = arena_dupn(&a, id + 7, 10);

		image_close(i);
		CHECK_INT(image_find(w.s, prefix, NULL, &i, &w.e), 0);
		CHECK_STR(i->record.id, id);
		image_close(i);
		CHECK_INT(image_find(w.s, id, "linux/s390x", &i, &w.e), -ENOENT);
		CHECK(image_remove(w.s, id, false, &a, &gone, &w.e) == -EBUSY);
		/* An instance holds it. */
		CHECK_INT(mkdirat(store_root_fd(w.s), "instances/feed", 0700), 0);
		{
			auto_fd int d = openat(store_root_fd(w.s), "instances/feed",
					       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			const char *rec = arena_printf(&a, "{\"image_id\":\"%s\"}", id);

			CHECK_INT(file_replace(d, "record.json", rec, strlen(rec), 0600, FILE_LAZY),
				  0);
		}
		CHECK_STR(image_user(w.s, id, &a), "feed");
		CHECK_INT(image_remove(w.s, "z:2", false, &a, &gone, &w.e), 0);
		CHECK(!gone.deleted);
		CHECK_INT(image_remove(w.s, "x", false, &a, &gone, &w.e), -EBUSY);
		CHECK_STR(w.e.msg, "image 'x' is used by instance feed");
		CHECK_INT(image_remove(w.s, "x", true, &a, &gone, &w.e), 0);
		CHECK(!gone.deleted);
		CHECK_INT(image_find(w.s, id, NULL, &i, &w.e), 0);
		image_close(i);
	}
	CHECK(image_find(w.s, "", NULL, &i, &w.e) < 0);
	world_close(&w);
}

TEST(a_moved_tag_leaves_a_nameless_image)
{
	struct image_records all;
	WORLD(w);

	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "one"), 0);
	CHECK_INT(make_image(&w, "docker.io/library/x:latest", "two"), 0);
	CHECK_INT(image_list(w.s, &a, &all, &w.e), 0);
	CHECK_INT(all.n, 2);
	CHECK(!all.v[0].name != !all.v[1].name);
	/* The old one is pulled again under another name: no longer nameless. */
	CHECK_INT(make_image(&w, "docker.io/library/y:latest", "one"), 0);
	CHECK_INT(image_list(w.s, &a, &all, &w.e), 0);
	CHECK_INT(all.n, 2);
	CHECK(all.v[0].name && all.v[1].name);
	world_close(&w);
}

TEST(leases_outlive_collection_and_die_with_the_stage)
{
	char digest[DIGEST_LEN + 1];
	struct stage *st;
	struct gc_result sum;
	WORLD(w);

	CHECK_INT(stage_new(w.s, &st, &w.e), 0);
	CHECK_INT(blob_put(w.s, st, "x", 1, digest, &w.e), 0);
	CHECK_INT(gc_run(w.s, &sum, &w.e), 0);
	CHECK_INT(sum.blobs, 0);
	CHECK(blob_have(w.s, digest, 1));
	stage_free(st);
	CHECK_INT(gc_run(w.s, &sum, &w.e), 0);
	CHECK_INT(sum.blobs, 1);
	CHECK(!blob_have(w.s, digest, 0));
	world_close(&w);
}

TEST_MAIN(T(layers_are_mounted_in_the_pinned_namespace), T(collection_unmounts_and_deletes),
	  T(lost_layer_is_made_again_from_its_blob), T(directories_where_erofs_cannot_be_mounted),
	  T(a_vm_gets_files), T(names_ids_and_users), T(a_moved_tag_leaves_a_nameless_image),
	  T(leases_outlive_collection_and_die_with_the_stage))
