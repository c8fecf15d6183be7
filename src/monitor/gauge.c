/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/gauge.h"
#include "base/auto.h"
#include "base/err.h"
#include "fmt/net_dev.h"
#include "runtime/cgroup.h"
#include "spec/metrics.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <stdio.h>

#define NET_DEV_MAX (4u << 20) /* 130 bytes a device */

static uint64_t limit(uint64_t v)
{
	return v == UINT64_MAX ? 0 : v;
}

int gauge_cgroup(const struct cgroup *cg, struct metrics *out, struct err *e)
{
	struct cgroup_stats c;
	int r;

	if (!cg)
		return err_set(e, ERR_UNSUPPORTED, "numbers need a cgroup");
	r = cgroup_stats(cg, &c, e);
	if (r < 0)
		return r;
	*out = (struct metrics){
	    .cpu_ns = c.cpu_ns,
	    .memory_bytes = c.memory_bytes,
	    .memory_inactive_bytes = c.memory_inactive_bytes,
	    .memory_limit_bytes = limit(c.memory_limit_bytes),
	    .io_read_bytes = c.io_read_bytes,
	    .io_write_bytes = c.io_write_bytes,
	    .pids = c.pids,
	    .pids_limit = limit(c.pids_limit),
	    .oom_kills = c.oom_kills,
	};
	return 0;
}

static bool read_net(const char *path, const char *device, struct net_dev *out)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, path, NET_DEV_MAX, &text);

	return n > 0 && net_dev_sum(text, (size_t)n, device, out);
}

void gauge_process_net(pid_t pid, struct metrics *out)
{
	struct net_dev d;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (!read_net(path, NULL, &d))
		return;
	out->net_rx_bytes += d.rx_bytes;
	out->net_tx_bytes += d.tx_bytes;
}

/* A tap of root's engine is on the host's network, where we are; one of an ordinary user's is in
 * the network namespace that the engine's holder keeps. */
static void device_table(const char *run_root, char path[48])
{
	auto_fd int run = open(run_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct userns_holder h;

	snprintf(path, 48, "/proc/self/net/dev");
	if (run >= 0 && userns_inside() && userns_holder_read(run, &h) == 0)
		snprintf(path, 48, "/proc/%d/net/dev", (int)h.pid);
}

void gauge_device_net(const char *run_root, const char *device, struct metrics *out)
{
	char path[48];
	struct net_dev d;

	device_table(run_root, path);
	if (!read_net(path, device, &d))
		return;
	out->net_rx_bytes += d.tx_bytes;
	out->net_tx_bytes += d.rx_bytes;
}
