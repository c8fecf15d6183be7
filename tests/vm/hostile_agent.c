/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of a guest that has been taken over, for tests/vm/hostile_test.py: comes up as
 * caisson-guest does, says HELLO, and then does what MODE says.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int port = -1;

static void load(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0)
		close(fd);
}

static void modules(void)
{
	FILE *f = fopen("/modules/list", "re");
	char group[32], name[128];

	while (f && fscanf(f, "%31s %127s", group, name) == 2)
		if (!strcmp(group, "boot"))
			load(name);
}

/* The one port of the machine; connected once a write goes through. */
static void find_port(void)
{
	for (;;) {
		DIR *d = opendir("/sys/class/virtio-ports");

		for (struct dirent *de; d && (de = readdir(d));) {
			char path[300];

			if (de->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "/dev/%s", de->d_name);
			port = open(path, O_RDWR | O_CLOEXEC);
			if (port >= 0)
				return;
		}
		if (d)
			closedir(d);
	}
}

static void put(const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t k = write(port, p, n);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
}

/* Little endian as the machine: length, type, flags, stream. */
static void frame(uint32_t len, uint16_t type, uint32_t stream, const void *data)
{
	struct {
		uint32_t len;
		uint16_t type, flags;
		uint32_t stream;
	} h = {len, type, 0, stream};

	put(&h, sizeof(h));
	if (data)
		put(data, len);
}

/* Until START (4) has come. */
static void await_start(void)
{
	static unsigned char body[1 << 20];
	struct {
		uint32_t len;
		uint16_t type, flags;
		uint32_t stream;
	} h;

	do {
		size_t n = 0;

		while (n < sizeof(h)) {
			ssize_t k = read(port, (char *)&h + n, sizeof(h) - n);

			n += k > 0 ? (size_t)k : 0;
		}
		for (n = 0; n < h.len && h.len <= sizeof(body);) {
			ssize_t k = read(port, body + n, h.len - n);

			n += k > 0 ? (size_t)k : 0;
		}
	} while (h.type != 4);
}

int main(void)
{
	static const char hello[] = "{\"version\":1,\"program\":\"caisson-guest\"}";
	static char junk[65536];
	uint32_t one = 1;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	modules();
	find_port();
	memset(junk, 'j', sizeof(junk));
	if (!strcmp(MODE, "garbage"))
		for (;;)
			put(junk, sizeof(junk));
	frame(sizeof(hello) - 1, 1, 0, hello);
	if (!strcmp(MODE, "hello-twice"))
		frame(sizeof(hello) - 1, 1, 0, hello);
	await_start();
	if (!strcmp(MODE, "silent"))
		for (;;)
			pause();
	if (!strcmp(MODE, "console")) {
		int tty = open("/dev/ttyS0", O_WRONLY | O_CLOEXEC);

		for (int i = 0; i < 8; i++)
			if (write(tty, junk, 32768) < 0)
				break;
		abort(); /* the kernel panics */
	}
	frame(4, 24, 1, &one); /* STARTED */
	if (!strcmp(MODE, "huge"))
		frame(0xfffffff0u, 7, 1, NULL);
	if (!strcmp(MODE, "flood"))
		for (;;)
			frame(sizeof(junk), 7, 1, junk); /* never heeds a window */
	if (!strcmp(MODE, "streams"))			 /* STARTED of what nobody asked for */
		for (uint32_t i = 2;; i++)
			frame(4, 24, i, &one);
	if (!strcmp(MODE, "oom"))
		for (;;)
			frame(4, 27, 1, &one), one++; /* OOM, counted up */
	if (!strcmp(MODE, "crash"))
		return 7;
	for (;;)
		pause();
}
