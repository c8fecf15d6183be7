/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "vmm/kernel.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *dir, const char *version, const char *json)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, version);
	mkdir(path, 0700);
	if (!json)
		return;
	snprintf(path, sizeof(path), "%s/%s/kernel.json", dir, version);
	f = fopen(path, "we");
	if (!f)
		abort();
	fputs(json, f);
	fclose(f);
}

static void wipe(const char *dir, const char *version)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/kernel.json", dir, version);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", dir, version);
	rmdir(path);
}

#define JSON(v)                                                                                    \
	"{\"format\":1,\"version\":\"" v "\",\"sha256\":\"00\",\"acpi\":true,"                     \
	"\"modules\":{\"boot\":[\"a.ko\",\"b.ko\"]}}"

TEST(the_newest_complete_one_of_the_first_directory)
{
	auto_arena struct arena a = ARENA_INIT;
	char dir[] = "/tmp/kernel-XXXXXX";
	const char *dirs[] = {"/nonexistent", dir, NULL};
	struct err e = ERR_INIT;
	struct kernel k;

	CHECK(mkdtemp(dir));
	CHECK_INT(kernel_find(dirs, NULL, &a, &k, &e), -ENOENT);
	CHECK(strstr(e.msg, "make deps"));
	put(dir, "6.1.0-9", JSON("6.1.0-9"));
	put(dir, "6.1.0-10", JSON("6.1.0-10"));
	put(dir, "6.1.0-11", NULL); /* unfinished */
	CHECK_INT(kernel_find(dirs, NULL, &a, &k, &e), 0);
	CHECK_STR(k.version, "6.1.0-10");
	CHECK(k.acpi);
	CHECK_INT(k.modules.boot.n, 2);
	CHECK_STR(k.modules.boot.v[1], "b.ko");
	CHECK_INT(kernel_find(dirs, "6.1.0-9", &a, &k, &e), 0);
	CHECK_STR(k.version, "6.1.0-9");
	CHECK_INT(kernel_find(dirs, "6.1.0-11", &a, &k, &e), -ENOENT);
	put(dir, "6.1.0-11", "{\"format\":2,\"version\":\"x\",\"sha256\":\"\"}");
	CHECK_INT(kernel_find(dirs, NULL, &a, &k, &e), -EOPNOTSUPP);
	wipe(dir, "6.1.0-9");
	wipe(dir, "6.1.0-10");
	wipe(dir, "6.1.0-11");
	rmdir(dir);
}

TEST_MAIN(T(the_newest_complete_one_of_the_first_directory))
