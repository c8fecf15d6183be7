/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubecheck.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "kube/kubedoc.h"
#include "kube/kubespec.h"

#include <stdio.h>

#define CONTAINERS_MAX 100
#define REPLICAS_MAX   1000

/* Where we are: "Pod web: container app". */
struct at {
	const char *object, *part, *name;
	struct kubedoc *d;
	struct arena *a;
	struct err *e;
};

static const char *where(const struct at *at)
{
	return at->name ? arena_printf(at->a, "%s: %s '%.63s'", at->object, at->part, at->name)
			: at->object;
}

static int refuse(const struct at *at, const char *field, const char *why)
{
	return err_set(at->e, ERR_UNSUPPORTED, "%s: %s is not possible: %s", where(at), field, why);
}

static int wrong(const struct at *at, const char *field, const char *value, const char *want)
{
	return err_set(at->e, ERR_USAGE, "%s: %s is %s, not '%.80s'", where(at), field, want,
		       value ? value : "");
}

/* NULL is fine; words: "A|B|C". */
static int one_of(const struct at *at, const char *field, const char *value, const char *words)
{
	size_t n = value ? strlen(value) : 0;

	if (!value)
		return 0;
	for (const char *w = words;; w++) {
		size_t len = strcspn(w, "|");

		if (len == n && strncmp(w, value, n) == 0)
			return 0;
		w += len;
		if (!*w)
			return wrong(at, field, value, words);
	}
}

struct refusal {
	const char *json, *field, *why;
};

static int refuse_any(const struct at *at, const struct refusal *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (l[i].json)
			return refuse(at, l[i].field, l[i].why);
	return 0;
}
#define REFUSE(at, ...)                                                                            \
	refuse_any(at, (const struct refusal[]){__VA_ARGS__},                                      \
		   sizeof((struct refusal[]){__VA_ARGS__}) / sizeof(struct refusal))

/* ---- parts of a container ---- */

static int check_probe(const struct at *at, const char *field, const struct kubespec_probe *p)
{
	int n;

	if (!p)
		return 0;
	n = !!p->exec + !!p->http + !!p->tcp + !!p->grpc_json;
	if (p->grpc_json)
		return refuse(at, field, "grpc is not asked; exec, httpGet and tcpSocket are");
	if (n != 1)
		return wrong(at, field, n ? "several" : "none",
			     "one of exec, httpGet and tcpSocket");
	if (p->http && p->http->headers_json)
		return refuse(at, field, "httpHeaders are not sent");
	if (p->exec && !p->exec->command.n)
		return wrong(at, field, "", "a command");
	if (p->initial_delay_s < 0 || p->period_s < 0 || p->timeout_s < 0 || p->failures < 0 ||
	    p->period_s > 1 << 20 || p->initial_delay_s > 1 << 20 || p->timeout_s > 1 << 20 ||
	    p->failures > 1 << 20)
		return wrong(at, field, "negative or huge", "made of small numbers");
	return one_of(at, field, p->http ? p->http->scheme : NULL, "HTTP|HTTPS");
}

static int check_profile(const struct at *at, const char *field, const struct kubespec_profile *p)
{
	if (!p)
		return 0;
	if (!p->type)
		return wrong(at, field, "", "RuntimeDefault, Unconfined or Localhost");
	if (streq(p->type, "Localhost") && (!p->localhost || !*p->localhost))
		return wrong(at, field, "", "Localhost with a localhostProfile");
	return one_of(at, field, p->type, "RuntimeDefault|Unconfined|Localhost");
}

static int check_id(const struct at *at, const char *field, const struct jbind_optint *id)
{
	return !id->set || (id->v >= 0 && id->v <= INT32_MAX)
		   ? 0
		   : wrong(at, field, "another number", "an id");
}

static int check_security(const struct at *at, const struct kubespec_security *s)
{
	int r;

	if (!s)
		return 0;
	if (s->selinux)
		return refuse(at, "seLinuxOptions", "SELinux labels are not made");
	if (s->seccomp && s->seccomp->type && streq(s->seccomp->type, "Localhost"))
		return refuse(at, "seccompProfile Localhost", "a kubelet's profiles are not here");
	r = check_profile(at, "seccompProfile", s->seccomp);
	if (r == 0)
		r = check_profile(at, "appArmorProfile", s->apparmor);
	if (r == 0)
		r = check_id(at, "runAsUser", &s->uid);
	if (r == 0)
		r = check_id(at, "runAsGroup", &s->gid);
	if (r == 0)
		r = check_id(at, "fsGroup", &s->fs_group);
	return r < 0 ? r : one_of(at, "procMount", s->proc_mount, "Default|Unmasked");
}

static int check_mount(const struct at *at, const struct kubespec_pod *p,
		       const struct kubespec_mount *m)
{
	const struct kubespec_volume *v = NULL;

	for (size_t i = 0; i < p->volumes.n && m->name; i++)
		if (streq(p->volumes.v[i].name, m->name))
			v = &p->volumes.v[i];
	if (!v)
		return wrong(at, "volumeMounts.name", m->name, "a volume of the pod");
	if (!m->path || *m->path != '/' || strpbrk(m->path, ":,\""))
		return wrong(at, "volumeMounts.mountPath", m->path,
			     "an absolute path without ':' and ','");
	if (m->sub_path_expr)
		return refuse(at, "volumeMounts.subPathExpr", "say a subPath");
	if (m->recursive_json && !streq(m->recursive_json, "\"Disabled\""))
		return refuse(at, "volumeMounts.recursiveReadOnly", "only Disabled is");
	if (m->sub_path && *m->sub_path && v->host_path)
		return refuse(at, "volumeMounts.subPath",
			      "of a hostPath; give the hostPath the whole path");
	if (m->sub_path && (!kubedoc_is_inside(m->sub_path) || strpbrk(m->sub_path, ":,\"")))
		return wrong(at, "volumeMounts.subPath", m->sub_path,
			     "a relative path without '..', ':' and ','");
	return one_of(at, "volumeMounts.mountPropagation", m->propagation,
		      "None|HostToContainer|Bidirectional");
}

static int check_env(const struct at *at, const struct kubespec_env *v)
{
	const struct kubespec_value_from *f = v->from;

	if (!v->name || !*v->name || strchr(v->name, '='))
		return wrong(at, "env.name", v->name, "a name without '='");
	if (!f)
		return 0;
	if (v->value && *v->value)
		return wrong(at, "env", v->name, "a value or valueFrom");
	if (f->resource_json)
		return refuse(at, "env.valueFrom.resourceFieldRef", "write the value");
	if (f->file_json)
		return refuse(at, "env.valueFrom.fileKeyRef", "write the value");
	if (!!f->config_map + !!f->secret + !!f->field != 1)
		return wrong(at, "env.valueFrom", v->name,
			     "one of configMapKeyRef, secretKeyRef and fieldRef");
	if ((f->config_map && (!f->config_map->name || !f->config_map->key)) ||
	    (f->secret && (!f->secret->name || !f->secret->key)) || (f->field && !f->field->path))
		return wrong(at, "env.valueFrom", v->name, "whole");
	return 0;
}

static int check_port(const struct at *at, const struct kubespec_port *p)
{
	if (p->container_port < 1 || p->container_port > 65535 || p->host_port < 0 ||
	    p->host_port > 65535)
		return wrong(at, "ports", "another number", "from 1 to 65535");
	return one_of(at, "ports.protocol", p->protocol, "TCP|UDP|SCTP");
}

static int check_lists(const struct at *at, const struct kubespec_pod *p,
		       const struct kubespec_container *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->ports.n; i++)
		r = check_port(at, &c->ports.v[i]);
	for (size_t i = 0; r == 0 && i < c->env.n; i++)
		r = check_env(at, &c->env.v[i]);
	for (size_t i = 0; r == 0 && i < c->env_from.n; i++)
		if (!!c->env_from.v[i].config_map + !!c->env_from.v[i].secret != 1)
			r = wrong(at, "envFrom", "another", "one of configMapRef and secretRef");
	for (size_t i = 0; r == 0 && i < c->mounts.n; i++)
		r = check_mount(at, p, &c->mounts.v[i]);
	return r;
}

static int check_container(const struct at *at, const struct kubespec_pod *p,
			   const struct kubespec_container *c, bool init)
{
	int r;

	if (!c->name || !kubedoc_is_label(c->name))
		return wrong(at, "a container's name", c->name,
			     "lower case letters, digits and '-'");
	if (!c->image || !*c->image)
		return wrong(at, "image", "", "the name of one");
	r = REFUSE(
	    at,
	    {c->lifecycle_json, "lifecycle", "no commands are run behind a start or before a stop"},
	    {c->devices_json, "volumeDevices", "block devices are not attached"},
	    {c->resources.claims_json, "resources.claims", "there are no resource claims"});
	if (r == 0)
		r = one_of(at, "imagePullPolicy", c->pull_policy, "Always|IfNotPresent|Never");
	if (r == 0)
		r = one_of(at, "restartPolicy", c->restart, "Always");
	if (r == 0 && c->restart && !init)
		r = wrong(at, "restartPolicy", c->restart, "for initContainers");
	if (r == 0)
		r = check_lists(at, p, c);
	if (r == 0)
		r = check_probe(at, "livenessProbe", c->liveness);
	if (r == 0)
		r = check_probe(at, "readinessProbe", c->readiness);
	if (r == 0)
		r = check_probe(at, "startupProbe", c->startup);
	return r < 0 ? r : check_security(at, c->security);
}

/* ---- parts of a pod ---- */

static int check_volume(const struct at *at, const struct kubespec_volume *v)
{
	int n = !!v->host_path + !!v->empty_dir + !!v->config_map + !!v->secret + !!v->claim;

	if (!v->name || !kubedoc_is_label(v->name))
		return wrong(at, "a volume's name", v->name, "lower case letters, digits and '-'");
	if (n != 1)
		return refuse(
		    at, "this kind of volume",
		    "hostPath, emptyDir, configMap, secret and persistentVolumeClaim are, "
		    "one of them each");
	if (v->host_path && (!v->host_path->path || *v->host_path->path != '/' ||
			     strpbrk(v->host_path->path, ":,\"")))
		return wrong(at, "hostPath.path", v->host_path->path,
			     "an absolute path without ':' and ','");
	if (v->claim && (!v->claim->name || !kubedoc_is_name(v->claim->name)))
		return wrong(at, "persistentVolumeClaim.claimName", v->claim->name, "a name");
	if ((v->config_map && !v->config_map->name) || (v->secret && !v->secret->secret_name))
		return wrong(at, v->secret ? "secret.secretName" : "configMap.name", "", "a name");
	if (v->empty_dir && v->empty_dir->medium && *v->empty_dir->medium &&
	    !streq(v->empty_dir->medium, "Memory"))
		return refuse(at, "emptyDir.medium", "Memory and none are");
	return v->host_path ? one_of(at, "hostPath.type", v->host_path->type,
				     "|DirectoryOrCreate|Directory|FileOrCreate|File|Socket|"
				     "CharDevice|BlockDevice")
			    : 0;
}

/* The group would become the owner of what is in these. */
static bool fs_group_matters(const struct kubespec_pod *p)
{
	for (size_t i = 0; i < p->volumes.n; i++)
		if (p->volumes.v[i].empty_dir || p->volumes.v[i].claim)
			return p->security && p->security->fs_group.set;
	return false;
}

static int check_words(const struct at *at, const struct kubespec_pod *p)
{
	int r = one_of(at, "restartPolicy", p->restart, "Always|OnFailure|Never");

	if (r == 0)
		r = one_of(at, "dnsPolicy", p->dns_policy,
			   "Default|ClusterFirst|ClusterFirstWithHostNet|None");
	if (r == 0 && p->dns_policy && streq(p->dns_policy, "None") &&
	    (!p->dns || !p->dns->servers.n))
		r = wrong(at, "dnsPolicy", "None", "with a dnsConfig that has nameservers");
	if (r == 0 && p->runtime_class && !streq(p->runtime_class, "caisson") &&
	    !streq(p->runtime_class, "caisson-vm"))
		r = refuse(at, "runtimeClassName", "caisson and caisson-vm are");
	if (r == 0 && p->hostname && !kubedoc_is_label(p->hostname))
		r = wrong(at, "hostname", p->hostname, "lower case letters, digits and '-'");
	if (r == 0 && p->os_json && !strstr(p->os_json, "\"linux\""))
		r = refuse(at, "os", "it is linux");
	if (r == 0 && p->deadline_s.set)
		r = refuse(at, "activeDeadlineSeconds", "nobody ends it at a time");
	if (r == 0 && fs_group_matters(p))
		r = refuse(at, "fsGroup",
			   "no owners are changed in emptyDir and claims; use an initContainer");
	return r < 0 ? r
		     : REFUSE(at, {p->ephemeral_json, "ephemeralContainers", "use exec"},
			      {p->claims_json, "resourceClaims", "there are none"});
}

static int check_names(const struct at *at, const struct kubespec_pod *p)
{
	const struct kubespec_containers *lists[] = {&p->init, &p->containers};
	const char *names[2 * CONTAINERS_MAX];
	size_t n = 0;

	if (!p->containers.n || p->containers.n > CONTAINERS_MAX || p->init.n > CONTAINERS_MAX)
		return wrong(at, "spec.containers", p->containers.n ? "too many" : "none",
			     "from 1 to 100 containers");
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->n; i++) {
			const char *name = lists[k]->v[i].name;

			for (size_t j = 0; name && j < n; j++)
				if (streq(names[j], name))
					return wrong(at, "a container's name", name, "there once");
			if (name)
				names[n++] = name;
		}
	for (size_t i = 0; i < p->volumes.n; i++)
		for (size_t j = 0; j < i && p->volumes.v[i].name; j++)
			if (streq(p->volumes.v[i].name, p->volumes.v[j].name))
				return wrong(at, "a volume's name", p->volumes.v[i].name,
					     "there once");
	return 0;
}

static int check_pod(const struct at *pod, const struct kubespec_pod *p)
{
	struct at at = *pod;
	int r = check_words(&at, p);

	for (size_t i = 0; r == 0 && i < p->volumes.n; i++) {
		at.part = "volume";
		at.name = p->volumes.v[i].name;
		r = check_volume(&at, &p->volumes.v[i]);
	}
	at.name = NULL;
	if (r == 0)
		r = check_names(&at, p);
	if (r == 0)
		r = check_security(&at, p->security);
	for (size_t i = 0; r == 0 && i < p->init.n; i++) {
		at.part = "initContainer";
		at.name = p->init.v[i].name;
		r = check_container(&at, p, &p->init.v[i], true);
	}
	for (size_t i = 0; r == 0 && i < p->containers.n; i++) {
		at.part = "container";
		at.name = p->containers.v[i].name;
		r = check_container(&at, p, &p->containers.v[i], false);
	}
	return r;
}

static int check_replicas(const struct at *at, const struct kubespec_deployment *s)
{
	const struct kubespec_containers *c = &s->template.spec.containers;

	if (!s->replicas.set)
		return 0;
	if (s->replicas.v < 0 || s->replicas.v > REPLICAS_MAX)
		return wrong(at, "spec.replicas", "another number", "from 0 to 1000");
	for (size_t i = 0; s->replicas.v > 1 && i < c->n; i++)
		for (size_t k = 0; k < c->v[i].ports.n; k++)
			if (c->v[i].ports.v[k].host_port || s->template.spec.host_network)
				return refuse(at, "a hostPort with several replicas",
					      "a port of this machine is one pod's");
	return 0;
}

int kubecheck_object(struct kubedoc *d, const struct kubespec_object *o, struct arena *a,
		     struct err *e)
{
	struct at at = {
	    .object = arena_printf(a, "%.20s %.80s", o->kind, o->meta.name ? o->meta.name : ""),
	    .d = d,
	    .a = a,
	    .e = e};
	int r;

	if (streq(o->kind, "Pod"))
		return check_pod(&at, &o->pod);
	if (!streq(o->kind, "Deployment"))
		return 0;
	r = check_replicas(&at, &o->set);
	return r < 0 ? r : check_pod(&at, &o->set.template.spec);
}
