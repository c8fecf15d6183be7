/* SPDX-License-Identifier: Apache-2.0 */
#include "store/verity.h"
#include "base/err.h"

#include <errno.h>
#include <linux/fsverity.h>
#include <string.h>
#include <sys/ioctl.h>

#define BLOCK 4096

int verity_enable(int fd, struct err *e)
{
	struct fsverity_enable_arg arg = {
	    .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = BLOCK};

	if (ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) == 0 || errno == EEXIST)
		return 0;
	if (errno == ENOTTY)
		return err_set(e, ERR_UNSUPPORTED, "this file system has no fs-verity");
	if (errno == EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED,
			       "fs-verity is not enabled in this kernel (CONFIG_FS_VERITY) or on "
			       "this file system (mkfs.ext4 -O verity)");
	return err_sys(e, "fs-verity");
}

int verity_measure(int fd, char out[DIGEST_LEN + 1])
{
	struct {
		struct fsverity_digest d;
		unsigned char bytes[32];
	} m = {.d = {.digest_size = sizeof(m.bytes)}};

	if (ioctl(fd, FS_IOC_MEASURE_VERITY, &m) < 0 ||
	    m.d.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 || m.d.digest_size != sizeof(m.bytes))
		return 0;
	digest_print(m.bytes, out);
	return 1;
}
