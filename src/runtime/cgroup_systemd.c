/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd driver: systemd makes the unit, and with it the directories it manages; limits are
 * given to it as properties and are also written by us, who know more of them (Delegate=yes).
 *
 * A scope needs a process to begin with and is collected when it has none.  At that moment ours
 * does not exist yet, so a sleeping child, the keeper, holds the scope from cgroup_create() until
 * the next change; the instance's process enters as with the other driver.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_bus.h"
#include "runtime/cgroup_int.h"
#include "runtime/cgroup_property.h"
#include "spec/plan.h"
#include "sys/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROPERTIES_MAX	(256u << 10)
#define SYSTEMD_EXISTS	"org.freedesktop.systemd1.UnitExists"
#define SYSTEMD_NO_SUCH "org.freedesktop.systemd1.NoSuchUnit"

static pid_t start_keeper(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(0, ~0U, 0);
	while (getppid() == parent)
		pause();
	_exit(0);
}

void cgroup_systemd_settle(struct cgroup *cg)
{
	if (cg->keeper > 0)
		child_kill(cg->keeper);
	cg->keeper = 0;
}

static bool is_slice(const char *unit)
{
	return streq(unit + strlen(unit) - 6, ".slice");
}

static int version_here(void)
{
	const struct cgroup_host *h = cgroup_host_get(NULL);

	return h && h->unified >= 0 && h->tree[h->unified].controllers & CGROUP_BIT(CGROUP_MEMORY)
		   ? 2
		   : 1;
}

static int put_properties(struct buf *b, const struct cgroup *cg, const struct cgroup_request *rq,
			  struct err *e)
{
	int version = version_here(), r = 0;
	uint32_t pid = (uint32_t)cg->keeper;
	char text[256];

	snprintf(text, sizeof(text), "caisson instance %.200s", rq->id ? rq->id : cg->unit);
	cgroup_property_string(b, "Description", text);
	if (is_slice(cg->unit)) {
		size_t at;

		dbus_align(b, 8);
		dbus_string(b, "Wants");
		dbus_signature(b, "as");
		at = dbus_array(b, 4);
		dbus_string(b, cg->slice);
		dbus_array_end(b, at, 4);
	} else {
		cgroup_property_string(b, "Slice", cg->slice);
		cgroup_property_bool(b, "Delegate", true);
		cgroup_property_u32s(b, "PIDs", &pid, 1);
		/* A unit that failed (OOM) would block the next one of its name. */
		if (!rq->annotations ||
		    !jbind_lookup(rq->annotations, "org.systemd.property.CollectMode"))
			cgroup_property_string(b, "CollectMode", "inactive-or-failed");
	}
	cgroup_property_bool(b, "MemoryAccounting", true);
	cgroup_property_bool(b, "CPUAccounting", true);
	cgroup_property_bool(b, version == 2 ? "IOAccounting" : "BlockIOAccounting", true);
	cgroup_property_bool(b, "TasksAccounting", true);
	cgroup_property_bool(b, "DefaultDependencies", false);
	if (rq->resources)
		r = cgroup_property_resources(b, rq->resources, version, e);
	return r < 0 ? r : cgroup_property_annotations(b, rq->annotations, e);
}

static int start_unit(struct cgroup_bus *bus, const struct cgroup *cg, const struct buf *body,
		      struct err *e)
{
	auto_buf struct buf reset = BUF_INIT(512);
	char name[128];
	int r;

	dbus_string(&reset, cg->unit);
	for (int tries = 0;; tries++) {
		r = cgroup_bus_call(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", body, name, e);
		if (r == 0 || tries > 0 || !streq(name, SYSTEMD_EXISTS))
			break;
		/* It may be only the memory of a failed one. */
		cgroup_bus_call(bus, "ResetFailedUnit", "s", &reset, NULL, NULL);
	}
	if (r < 0 && streq(name, SYSTEMD_EXISTS))
		return err_set(e, ERR_CONFLICT, "systemd: unit %s exists already", cg->unit);
	return r < 0 ? r : cgroup_bus_job(bus, cg->unit, e);
}

int cgroup_systemd_start(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	auto_cgroup_bus struct cgroup_bus *bus = NULL;
	auto_buf struct buf body = BUF_INIT(PROPERTIES_MAX);
	size_t at;
	int r;

	if (!rq->bus && access("/run/systemd/system", F_OK) < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "systemd cgroup driver: systemd is not running on this host (no "
			       "/run/systemd/system); use the cgroupfs driver");
	r = cgroup_bus_open(rq->bus, &bus, e);
	if (r < 0)
		return r;
	if (!is_slice(cg->unit)) {
		cg->keeper = start_keeper();
		if (cg->keeper < 0)
			return err_sys(e, "fork");
	}
	dbus_string(&body, cg->unit);
	dbus_string(&body, "replace");
	at = dbus_array(&body, 8);
	r = put_properties(&body, cg, rq, e);
	dbus_array_end(&body, at, 8);
	dbus_array_end(&body, dbus_array(&body, 8), 8);
	if (r == 0)
		r = start_unit(bus, cg, &body, e);
	if (r < 0)
		cgroup_systemd_settle(cg);
	return r;
}

int cgroup_systemd_update(struct cgroup *cg, const struct plan_resources *res, struct err *e)
{
	auto_cgroup_bus struct cgroup_bus *bus = NULL;
	auto_buf struct buf body = BUF_INIT(PROPERTIES_MAX);
	size_t at;
	int r = cgroup_bus_open(cg->bus, &bus, e);

	if (r < 0)
		return r;
	dbus_string(&body, cg->unit);
	dbus_bool(&body, true); /* for this run of the machine only */
	at = dbus_array(&body, 8);
	r = cgroup_property_resources(&body, res, version_here(), e);
	dbus_array_end(&body, at, 8);
	return r < 0 ? r : cgroup_bus_call(bus, "SetUnitProperties", "sba(sv)", &body, NULL, e);
}

int cgroup_systemd_stop(struct cgroup *cg, struct err *e)
{
	auto_cgroup_bus struct cgroup_bus *bus = NULL;
	auto_buf struct buf body = BUF_INIT(1024), unit = BUF_INIT(512);
	char name[128];
	int r;

	cgroup_systemd_settle(cg);
	r = cgroup_bus_open(cg->bus, &bus, e);
	if (r < 0)
		return r;
	dbus_string(&body, cg->unit);
	dbus_string(&body, "replace");
	dbus_string(&unit, cg->unit);
	r = cgroup_bus_call(bus, "StopUnit", "ss", &body, name, e);
	if (r < 0)
		return streq(name, SYSTEMD_NO_SUCH) ? 0 : r;
	r = cgroup_bus_job(bus, cg->unit, e);
	cgroup_bus_call(bus, "ResetFailedUnit", "s", &unit, NULL, NULL);
	return r;
}
