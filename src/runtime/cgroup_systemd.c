/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "runtime/cgroup_int.h"

#include <unistd.h>

int cgroup_systemd_start(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "systemd cgroup driver: systemd is not running on this host (no "
		       "/run/systemd/system); use the cgroupfs driver");
}

int cgroup_systemd_update(struct cgroup *cg, const struct plan_resources *r, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "systemd cgroup driver: not available");
}

int cgroup_systemd_stop(struct cgroup *cg, struct err *e)
{
	return 0;
}

void cgroup_systemd_settle(struct cgroup *cg)
{
}
