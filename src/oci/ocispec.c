/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocispec.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/ocilog.h"
#include "runtime/capset.h"
#include "runtime/mempolicy.h"
#include "runtime/mountopt.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- spec ---- */

struct spec_args {
	const char *bundle;
	bool rootless;
};
const struct opt ocispec_opts[] = {
    OPT(struct spec_args, bundle, .name = "bundle", .letter = 'b', .type = OPT_STR, .arg = "DIR",
	.help = "where to write config.json, default the current directory"),
    OPT(struct spec_args, rootless, .name = "rootless", .type = OPT_BOOL,
	.help = "for an ordinary user: a user namespace, no cgroup limits"),
    OPT_END,
};

static const char caps[] = "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]";

static void mount(struct buf *b, const char *to, const char *type, const char *from,
		  const char *options)
{
	buf_printf(b, "    {\"destination\": \"%s\", \"type\": \"%s\", \"source\": \"%s\"", to,
		   type, from);
	if (options)
		buf_printf(b, ", \"options\": [%s]", options);
	buf_puts(b, "}");
}

static void mounts(struct buf *b, bool rootless)
{
	buf_puts(b, "  \"mounts\": [\n");
	mount(b, "/proc", "proc", "proc", NULL);
	buf_puts(b, ",\n");
	mount(b, "/dev", "tmpfs", "tmpfs",
	      "\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"");
	buf_puts(b, ",\n");
	mount(b, "/dev/pts", "devpts", "devpts",
	      rootless ? "\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\""
		       : "\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", "
			 "\"mode=0620\", \"gid=5\"");
	buf_puts(b, ",\n");
	mount(b, "/dev/shm", "tmpfs", "shm",
	      "\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"");
	buf_puts(b, ",\n");
	mount(b, "/dev/mqueue", "mqueue", "mqueue", "\"nosuid\", \"noexec\", \"nodev\"");
	buf_puts(b, ",\n");
	if (rootless)
		mount(b, "/sys", "none", "/sys",
		      "\"rbind\", \"nosuid\", \"noexec\", \"nodev\", \"ro\"");
	else
		mount(b, "/sys", "sysfs", "sysfs", "\"nosuid\", \"noexec\", \"nodev\", \"ro\"");
	buf_puts(b, ",\n");
	mount(b, "/sys/fs/cgroup", "cgroup", "cgroup",
	      "\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"");
	buf_puts(b, "\n  ],\n");
}

static void paths(struct buf *b)
{
	buf_puts(b, "    \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", "
		    "\"/proc/keys\", \"/proc/latency_stats\", \"/proc/timer_list\", "
		    "\"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", "
		    "\"/proc/scsi\"],\n"
		    "    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", "
		    "\"/proc/sys\", \"/proc/sysrq-trigger\"]\n");
}

static void linux_part(struct buf *b, bool rootless)
{
	buf_puts(b, "  \"linux\": {\n");
	if (rootless)
		buf_printf(b,
			   "    \"uidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": "
			   "1}],\n    \"gidMappings\": [{\"containerID\": 0, \"hostID\": %u, "
			   "\"size\": 1}],\n",
			   geteuid(), getegid());
	else
		buf_puts(b, "    \"resources\": {\"devices\": [{\"allow\": false, \"access\": "
			    "\"rwm\"}]},\n");
	buf_printf(b,
		   "    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": "
		   "\"uts\"}, {\"type\": \"mount\"}, %s{\"type\": \"%s\"}],\n",
		   /* As runc: a cgroup namespace where there is cgroup v2 alone.  Without root
		    * always: there the mount in it is all that can be shown. */
		   rootless || access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
		       ? "{\"type\": \"cgroup\"}, "
		       : "",
		   rootless ? "user" : "network");
	paths(b);
	buf_puts(b, "  }\n");
}

int ocispec_spec(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);
	auto_fd int dir = -1, fd = -1;
	struct spec_args x = {0};
	int r = opt_parse(ocispec_opts, argc, argv, OPT_MIXED, &x, e);

	if (r < 0)
		return r;
	if (r != argc)
		return err_set(e, ERR_USAGE, "\"spec\" takes no arguments");
	dir = open(x.bundle ? x.bundle : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "bundle '%s'", x.bundle ? x.bundle : ".");
	buf_puts(&b, "{\n  \"ociVersion\": \"1.2.0\",\n  \"process\": {\n    \"terminal\": true,\n"
		     "    \"user\": {\"uid\": 0, \"gid\": 0},\n    \"args\": [\"sh\"],\n"
		     "    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		     "/bin\", \"TERM=xterm\"],\n    \"cwd\": \"/\",\n");
	buf_printf(&b,
		   "    \"capabilities\": {\"bounding\": %s, \"effective\": %s, \"permitted\": "
		   "%s},\n    \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, "
		   "\"soft\": 1024}],\n    \"noNewPrivileges\": true\n  },\n",
		   caps, caps, caps);
	buf_puts(&b, "  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
		     "  \"hostname\": \"caisson\",\n");
	mounts(&b, x.rootless);
	linux_part(&b, x.rootless);
	buf_puts(&b, "}\n");
	fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_sys(e, "file config.json exists. Remove it first: create");
	r = fd_write_all(fd, b.p, b.len);
	return r < 0 ? err_set(e, ERR_SYSTEM, "write config.json") : 0;
}

/* ---- features ---- */

static void list(struct buf *b, const char *key, const char *const *v)
{
	buf_printf(b, "\"%s\": [", key);
	for (size_t i = 0; v[i]; i++) {
		buf_puts(b, i ? ", " : "");
		json_quote(b, v[i]);
	}
	buf_puts(b, "]");
}

static void mount_options(struct buf *b)
{
	buf_puts(b, "  \"mountOptions\": [");
	for (unsigned int i = 0; mountopt_name(i); i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", mountopt_name(i));
	buf_puts(b, "],\n");
}

static void capabilities(struct buf *b)
{
	buf_puts(b, "    \"capabilities\": [");
	for (int i = 0; capset_name(i); i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", capset_name(i));
	buf_puts(b, "],\n");
}

static bool file_says(const char *path, const char *word)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return str_after(text, word) != NULL;
}

static void seccomp(struct buf *b)
{
	static const char *const actions[] = {"SCMP_ACT_ALLOW",	      "SCMP_ACT_ERRNO",
					      "SCMP_ACT_KILL",	      "SCMP_ACT_KILL_PROCESS",
					      "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
					      "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
					      "SCMP_ACT_TRAP",	      NULL};
	static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
						"SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
						"SCMP_CMP_NE", NULL};
	static const char *const archs[] = {"SCMP_ARCH_AARCH64",   "SCMP_ARCH_ARM",
					    "SCMP_ARCH_MIPS",	   "SCMP_ARCH_MIPS64",
					    "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
					    "SCMP_ARCH_MIPSEL64",  "SCMP_ARCH_MIPSEL64N32",
					    "SCMP_ARCH_PARISC",	   "SCMP_ARCH_PARISC64",
					    "SCMP_ARCH_PPC",	   "SCMP_ARCH_PPC64",
					    "SCMP_ARCH_PPC64LE",   "SCMP_ARCH_RISCV64",
					    "SCMP_ARCH_S390",	   "SCMP_ARCH_S390X",
					    "SCMP_ARCH_X32",	   "SCMP_ARCH_X86",
					    "SCMP_ARCH_X86_64",	   NULL};
	static const char *const flags[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL};

	buf_puts(b, "    \"seccomp\": {\"enabled\": true, ");
	list(b, "actions", actions);
	buf_puts(b, ", ");
	list(b, "operators", operators);
	buf_puts(b, ", ");
	list(b, "archs", archs);
	buf_puts(b, ", ");
	list(b, "knownFlags", flags);
	buf_puts(b, ", ");
	list(b, "supportedFlags", flags);
	buf_puts(b, "},\n");
}

static void memory_policy(struct buf *b)
{
	buf_puts(b, "    \"memoryPolicy\": {\"modes\": [");
	for (unsigned int i = 0; mempolicy_mode(i); i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", mempolicy_mode(i));
	buf_puts(b, "], \"flags\": [");
	for (unsigned int i = 0; mempolicy_flag(i); i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", mempolicy_flag(i));
	buf_puts(b, "]}\n  },\n");
}

int ocispec_features(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	static const struct opt none[] = {OPT_END};
	static const char *const hooks[] = {"prestart",
					    "createRuntime",
					    "createContainer",
					    "startContainer",
					    "poststart",
					    "poststop",
					    NULL};
	static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network", "pid",
						 "time",   "user", "uts",   NULL};
	auto_buf struct buf b = BUF_INIT(64 * 1024);
	const bool apparmor = file_says("/sys/module/apparmor/parameters/enabled", "Y");
	const bool selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
	int r = opt_parse(none, argc, argv, OPT_MIXED, NULL, e);

	if (r < 0)
		return r;
	buf_puts(&b, "{\n  \"ociVersionMin\": \"1.0.0\",\n  \"ociVersionMax\": \"1.3.0\",\n  ");
	list(&b, "hooks", hooks);
	buf_puts(&b, ",\n");
	mount_options(&b);
	buf_puts(&b, "  \"linux\": {\n    ");
	list(&b, "namespaces", namespaces);
	buf_puts(&b, ",\n");
	capabilities(&b);
	buf_puts(&b, "    \"cgroup\": {\"v1\": true, \"v2\": true, \"systemd\": true, "
		     "\"systemdUser\": false, \"rdma\": true},\n");
	seccomp(&b);
	buf_printf(&b,
		   "    \"apparmor\": {\"enabled\": %s},\n    \"selinux\": {\"enabled\": %s},\n"
		   "    \"intelRdt\": {\"enabled\": true, \"schemata\": true, "
		   "\"monitoring\": true},\n"
		   "    \"mountExtensions\": {\"idmap\": {\"enabled\": true}},\n"
		   "    \"netDevices\": {\"enabled\": true},\n",
		   apparmor ? "true" : "false", selinux ? "true" : "false");
	memory_policy(&b);
	buf_printf(&b,
		   "  \"annotations\": {\"io.caisson.version\": \"%s\", "
		   "\"org.opencontainers.runc.checkpoint.enabled\": \"false\"},\n"
		   "  \"potentiallyUnsafeConfigAnnotations\": [\"org.systemd.property.\"]\n}\n",
		   CAISSON_VERSION);
	if (buf_fail(&b, "features", e) < 0)
		return -EOVERFLOW;
	r = fd_write_all(1, b.p, b.len);
	return r < 0 ? err_set(e, ERR_SYSTEM, "write features") : 0;
}
