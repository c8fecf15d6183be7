/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "store/blob.h"
#include "store/part.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* "hello" */
#define DIGEST "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct world {
	char top[32];
	struct store *s;
	struct err e;
};

static void open_world(struct world *w)
{
	*w = (struct world){.top = "/tmp/caisson-part-XXXXXX"};
	CHECK(mkdtemp(w->top) != NULL);
	CHECK_INT(store_open(w->top, NULL, &w->s, &w->e), 0);
}

static void close_world(struct world *w)
{
	store_close(w->s);
	path_remove(AT_FDCWD, w->top);
}

TEST(a_part_goes_on_and_becomes_the_blob)
{
	struct world w;
	struct part p;

	open_world(&w);
	CHECK_INT(part_take(w.s, DIGEST, 5, &p, &w.e), 1);
	CHECK_INT(p.have, 0);
	CHECK_INT(fd_write_all(p.fd, "hel", 3), 0);
	part_close(w.s, &p);
	CHECK_INT(p.fd, -1);
	CHECK_INT(part_take(w.s, DIGEST, 5, &p, &w.e), 1);
	CHECK_INT(p.have, 3);
	CHECK(part_commit(w.s, &p, DIGEST, 5, &w.e) < 0); /* too short */
	CHECK_INT(lseek(p.fd, 3, SEEK_SET), 3);
	CHECK_INT(fd_write_all(p.fd, "lo", 2), 0);
	CHECK_INT(part_commit(w.s, &p, DIGEST, 5, &w.e), 0);
	part_close(w.s, &p);
	CHECK(blob_have(w.s, DIGEST, 5));
	part_sweep(w.s, 0, NULL, NULL);
	CHECK(blob_have(w.s, DIGEST, 5));
	close_world(&w);
}

TEST(two_do_not_write_at_once)
{
	struct world w;
	struct part a, b;

	open_world(&w);
	CHECK_INT(part_take(w.s, DIGEST, 5, &a, &w.e), 1);
	CHECK_INT(fd_write_all(a.fd, "he", 2), 0);
	CHECK_INT(part_take(w.s, DIGEST, 5, &b, &w.e), 0);
	CHECK_INT(b.have, 2);
	CHECK_INT(b.fd, -1);
	part_sweep(w.s, 0, NULL, NULL); /* spares it */
	part_close(w.s, &a);
	CHECK_INT(part_take(w.s, DIGEST, 5, &b, &w.e), 1);
	CHECK_INT(b.have, 2);
	part_drop(w.s, &b);
	CHECK_INT(part_take(w.s, DIGEST, 5, &a, &w.e), 1);
	CHECK_INT(a.have, 0);
	part_close(w.s, &a);
	close_world(&w);
}

TEST(old_and_overlong_ones_go)
{
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	uint64_t count = 0, bytes = 0;
	struct world w;
	struct part p;

	open_world(&w);
	CHECK_INT(part_take(w.s, DIGEST, 100, &p, &w.e), 1);
	CHECK_INT(fd_write_all(p.fd, "hello world", 11), 0);
	part_close(w.s, &p);
	part_sweep(w.s, PART_KEEP_S, &count, &bytes);
	CHECK_INT(count, 0);
	CHECK_INT(part_take(w.s, DIGEST, 5, &p, &w.e), 1);
	CHECK_INT(p.have, 0);
	CHECK_INT(fd_write_all(p.fd, "he", 2), 0);
	futimens(p.fd, old);
	part_close(w.s, &p);
	part_sweep(w.s, PART_KEEP_S, &count, &bytes);
	CHECK_INT(count, 1);
	CHECK(bytes > 0);
	close_world(&w);
}

TEST_MAIN(T(a_part_goes_on_and_becomes_the_blob), T(two_do_not_write_at_once),
	  T(old_and_overlong_ones_go))
