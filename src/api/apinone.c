/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apinone - what docker has and this engine has not, in the words that docker uses where it has it
 * not either: clients know these and go on without.
 */
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/err.h"

int apinone_swarm(struct apicall *c, struct err *e)
{
	return apicall_refuse(c, 503,
			      "This node is not a swarm manager. Use \"docker swarm init\" or "
			      "\"docker swarm join\" to connect this node to swarm and try again.",
			      e);
}

int apinone_leave(struct apicall *c, struct err *e)
{
	return apicall_refuse(c, 503, "This node is not part of a swarm", e);
}

int apinone_join(struct apicall *c, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "swarm: this engine has one host; more are Kubernetes', through containerd "
		       "and caisson-oci");
}

/* A filter can only make fewer of none. */
int apinone_plugins(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(16);

	buf_puts(&b, "[]\n");
	return apicall_json(c, 200, &b, e);
}

int apinone_plugin(struct apicall *c, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "plugin \"%.128s\" not found", c->id);
}

int apinone_plugin_new(struct apicall *c, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "there are no plugins here");
}

/* /grpc and /session: BuildKit's client takes its classic way when these are not there. */
int apinone_buildkit(struct apicall *c, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		       "there is no BuildKit here: DOCKER_BUILDKIT=0 docker build, or `caisson "
		       "build`");
}
