/* SPDX-License-Identifier: Apache-2.0 */
/* merge - a damaged layer, alone and twice over itself; what comes out must be an image. */
#include "base/err.h"
#include "fmt/erofs.h"
#include "unpack/merge.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p, block0[EROFS_BLOCK];
	struct merge_layer layers[2];
	struct merge_result m;
	struct err e = ERR_INIT;
	uint32_t sum;
	int fd;

	if (size < EROFS_BLOCK)
		return 0;
	p = malloc(size);
	fd = memfd_create("meta", MFD_CLOEXEC);
	if (!p || fd < 0)
		abort();
	memcpy(p, data, size);
	sum = htole32(erofs_checksum(p));
	memcpy(p + EROFS_SUPER_AT + 4, &sum, 4);
	layers[0] = layers[1] = (struct merge_layer){p, size};
	if (merge_write(layers, 1 + size / EROFS_BLOCK % 2, fd, &m, &e) >= 0) {
		if (pread(fd, block0, sizeof(block0), 0) != sizeof(block0) ||
		    memcmp(block0 + EROFS_SUPER_AT, "\xe2\xe1\xf5\xe0", 4) || m.size % EROFS_BLOCK)
			abort();
	} else if (e.kind == ERR_NONE) {
		abort();
	}
	close(fd);
	free(p);
	return 0;
}
