/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - run a fuzz target over its corpus without a fuzzer, as a unit test.
 *
 * Arguments are files or directories.  Each file is given whole, then cut at every length and with
 * every byte changed three ways, up to STEPS_MAX variants: the cheap part of what a fuzzer does,
 * the same in every run.  The target aborts (or a sanitizer ends it) when something is wrong.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (1u << 20)
#define STEPS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the size, so that a sanitizer sees one byte too many. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *p = calloc(1, size ? size : 1);

	if (!p)
		abort();
	memcpy(p, data, size);
	LLVMFuzzerTestOneInput(p, size);
	free(p);
}

static void variants(uint8_t *data, size_t size)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	size_t step = 1 + size * 4 / STEPS_MAX;

	feed(data, size);
	for (size_t i = 0; i < size; i += step) {
		feed(data, i);
		for (size_t f = 0; f < sizeof(flips); f++) {
			data[i] ^= flips[f];
			feed(data, size);
			data[i] ^= flips[f];
		}
	}
}

static int replay(int dir_fd, const char *name)
{
	static uint8_t data[FILE_MAX];
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC), n = 0;
	struct dirent *de;
	struct stat st;
	ssize_t len;
	DIR *d;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		len = read(fd, data, sizeof(data));
		close(fd);
		if (len < 0)
			exit(1);
		variants(data, (size_t)len);
		return 1;
	}
	d = fdopendir(fd);
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			n += replay(fd, de->d_name);
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	feed((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		n += replay(AT_FDCWD, argv[i]);
	printf("%s 1 - %d files and their variants\n1..1\n", n ? "ok" : "not ok", n);
	return n ? 0 : 1;
}
