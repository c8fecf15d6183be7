/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocivm.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "oci/ocivmhold.h"
#include "runtime/cgroup.h"
#include "runtime/launch.h"
#include "runtime/seccomp.h"
#include "spec/plan.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 60000 /* an emulated guest under load is slow */

int ocivm_wanted(const char *isolation, bool *vm, struct err *e)
{
	if (isolation && !streq(isolation, "container") && !streq(isolation, "vm"))
		return err_set(e, ERR_UNSUPPORTED,
			       "isolation '%s' is not known: container or vm is", isolation);
	*vm = isolation && streq(isolation, "vm");
	return 0;
}

/* ---- what both kinds of process have ---- */

/* A terminal on the host; its line discipline is turned off by the process that gets the slave. */
static int terminal(const struct plan_console *size, int *master, int *slave, struct err *e)
{
	struct winsize w = {.ws_row = (unsigned short)size->height,
			    .ws_col = (unsigned short)size->width};
	auto_fd int m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), s = -1;

	if (m < 0 || unlockpt(m) < 0)
		return err_sys(e, "terminal");
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_sys(e, "terminal");
	if (w.ws_row && w.ws_col)
		ioctl(m, TIOCSWINSZ, &w);
	*master = take_fd(&m);
	*slave = take_fd(&s);
	return 0;
}

/* The next frame has to be of this type; an ERR is its error. */
static int expect(int fd, struct wire_reader *in, enum wire_type type, struct err *e)
{
	struct wire_frame f;
	int r = wire_recv(fd, in, &f, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_SYSTEM,
			       "the process that holds the virtual machine has ended");
	if (f.type == WIRE_ERR)
		return wire_err(&f, e);
	if (f.type != type)
		return err_set(e, ERR_CORRUPT, "unexpected %s", wire_type_name(f.type));
	return 0;
}

static int fork_into(struct launch *out, struct err *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		return 0;
	out->pid = pid;
	out->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (out->pidfd < 0)
		return err_sys(e, "pidfd");
	return 1;
}

/* ---- create ---- */

/* In a build tree the helpers stand beside the program; installed, in PREFIX/libexec/caisson. */
static void find_files(const struct ocivm_request *rq, struct vm_files *f, struct arena *a)
{
	const char *dir = rq->programs ? rq->programs : "/usr/bin", *data;
	struct strs kernels = {0};

	f->agent = arena_printf(a, "%s/caisson-guest", dir);
	data = arena_printf(a, "%s/share/caisson/kernels", dir);
	if (access(f->agent, F_OK) < 0) {
		f->agent = arena_printf(a, "%s/../libexec/caisson/caisson-guest", dir);
		data = arena_printf(a, "%s/../share/caisson/kernels", dir);
	}
	arena_strs_add(a, &kernels, data);
	arena_strs_add(a, &kernels, "/usr/local/share/caisson/kernels");
	arena_strs_add(a, &kernels, "/usr/share/caisson/kernels");
	f->kernel_dirs = kernels.v;
	f->cache_dir = rq->cache;
}

/* Compiled here: slow in an emulated guest. */
static int filter(const struct plan *p, struct vm_files *f, struct arena *a, struct err *e)
{
	const char **send = arena_strs_array(a, 1), *dir = p->caisson->seccomp_cache;
	struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	int r = seccomp_prepare(p, dir, &sp, e);

	if (r == 0 && dir && sp.name[0])
		send[0] = arena_printf(a, "%s/%s", dir, sp.name);
	seccomp_done(&sp);
	f->send = send;
	return r;
}

/* Memory and processes are limited inside; what the machine's threads compute, and what is read and
 * written for it, is the host's to limit. */
static int make_cgroup(const struct ocivm_request *rq, struct arena *a, struct cgroup **cg,
		       struct err *e)
{
	const struct plan *p = rq->plan;
	struct plan_resources res = {.devices = vm_device_rules(a)};
	struct cgroup_request c = {
	    .path = p->linux_->cgroups_path,
	    .id = rq->opts->id,
	    .driver = rq->opts->flags & LAUNCH_SYSTEMD_CGROUP ? CGROUP_SYSTEMD : CGROUP_FS,
	    .resources = &res,
	    .annotations = &p->annotations,
	};

	if (p->linux_->resources) {
		res.cpu = p->linux_->resources->cpu;
		res.block_io = p->linux_->resources->block_io;
	}
	return cgroup_create(&c, cg, e);
}

static int host_hooks(const struct ocivm_request *rq, pid_t pid, struct err *e)
{
	const struct plan_hooks *h = rq->plan->hooks;
	int r;

	if (!h)
		return 0;
	r = launch_hooks(rq->plan, &h->prestart, "prestart", rq->opts, "creating", pid, e);
	if (r == 0)
		r = launch_hooks(rq->plan, &h->create_runtime, "createRuntime", rq->opts,
				 "creating", pid, e);
	return r;
}

/* The parent's side of struct ocivmhold's .sync. */
static int agree(const struct ocivm_request *rq, int sync, struct launch *out, struct err *e)
{
	struct wire_reader in = WIRE_READER_INIT;
	int r = expect(sync, &in, WIRE_OK, e);

	if (r == 0 && rq->opts->flags & LAUNCH_SYSTEMD_CGROUP)
		r = cgroup_attach(out->cgroup, out->pid, e);
	if (r == 0)
		r = host_hooks(rq, out->pid, e);
	if (r == 0)
		r = wire_send(sync, WIRE_START, 0, NULL, 0, e);
	if (r == 0)
		r = expect(sync, &in, WIRE_OK, e);
	wire_reader_done(&in);
	return r;
}

static int hold(const struct ocivm_request *rq, struct ocivmhold *h, struct launch *out,
		struct err *e)
{
	auto_fd int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = h->sync = pair[1];
	r = fork_into(out, e);
	if (r == 0)
		ocivmhold_main(h);
	if (r < 0)
		return r;
	close(take_fd(&theirs));
	return agree(rq, ours, out, e);
}

int ocivm_create(const struct ocivm_request *rq, struct launch *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int listener = -1, slave = -1;
	struct ocivmhold h = {
	    .plan = rq->plan,
	    .arena = &a,
	    .enter = !(rq->opts->flags & LAUNCH_SYSTEMD_CGROUP),
	    .net = plan_namespace_path(rq->plan, "network"),
	    .terminal = -1,
	};
	const struct plan_process *p = rq->plan->process;
	int r;

	if (rq->opts->preserve_fds)
		return err_set(e, ERR_UNSUPPORTED,
			       "--preserve-fds and LISTEN_FDS with isolation vm: a descriptor of "
			       "the host cannot enter the machine");
	find_files(rq, &h.files, &a);
	r = filter(rq->plan, &h.files, &a, e);
	if (r == 0)
		r = make_cgroup(rq, &a, &out->cgroup, e);
	if (r < 0)
		return r;
	h.cgroup = out->cgroup;
	listener = h.listener = sock_listen(rq->dir, OCIVMHOLD_SOCKET, 0600);
	if (listener < 0) {
		errno = -listener;
		return err_sys(e, "socket of the virtual machine");
	}
	if (p->terminal) {
		r = terminal(&p->console_size, &out->console, &slave, e);
		h.terminal = slave;
	}
	return r < 0 ? r : hold(rq, &h, out, e);
}

/* ---- talking to the holder ---- */

static int connect_to(int dir, const int *fds, struct err *e)
{
	auto_fd int conn = sock_connect(dir, OCIVMHOLD_SOCKET);
	int r = conn < 0 ? conn : sock_send_fds(conn, "c", 1, fds, fds ? 3 : 0);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "connect to the virtual machine");
	}
	return take_fd(&conn);
}

int ocivm_start(int dir, struct err *e)
{
	struct wire_reader in = WIRE_READER_INIT;
	auto_fd int conn = connect_to(dir, NULL, e);
	int r = conn;

	if (r >= 0)
		r = wire_send(conn, WIRE_START, 1, NULL, 0, e);
	if (r == 0)
		r = expect(conn, &in, WIRE_STARTED, e);
	wire_reader_done(&in);
	return r;
}

int ocivm_signal(int dir, int sig, struct err *e)
{
	uint32_t n = htole32((uint32_t)sig);
	auto_fd int conn = connect_to(dir, NULL, e);

	return conn < 0 ? conn : wire_send(conn, WIRE_SIGNAL, 1, &n, sizeof(n), e);
}

int ocivm_update(int dir, const struct plan_resources *res, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	struct wire_reader in = WIRE_READER_INIT;
	struct pollfd p = {.events = POLLIN};
	auto_fd int conn = -1;
	int r;

	jbind_write(&plan_resources_table, res, &b);
	r = buf_fail(&b, "limits", e);
	if (r < 0)
		return r;
	p.fd = conn = r = connect_to(dir, NULL, e);
	if (r >= 0)
		r = wire_send(conn, WIRE_UPDATE, 1, b.p, b.len, e);
	if (r == 0 && poll(&p, 1, ANSWER_MS) == 0)
		r = err_set(e, ERR_TIMEOUT, "the guest does not answer");
	if (r == 0)
		r = expect(conn, &in, WIRE_OK, e);
	wire_reader_done(&in);
	return r;
}

/* ---- exec ---- */

struct proxy {
	int conn, signals, terminal;
	struct wire_reader in;
};

static void send_size(const struct proxy *x)
{
	struct winsize w;
	unsigned char b[4];

	if (x->terminal < 0 || ioctl(x->terminal, TIOCGWINSZ, &w) < 0 || !w.ws_row)
		return;
	b[0] = (unsigned char)w.ws_row;
	b[1] = (unsigned char)(w.ws_row >> 8);
	b[2] = (unsigned char)w.ws_col;
	b[3] = (unsigned char)(w.ws_col >> 8);
	wire_send(x->conn, WIRE_RESIZE, 1, b, sizeof(b), NULL);
}

static void pass_signals(const struct proxy *x)
{
	struct signalfd_siginfo s;

	while (read(x->signals, &s, sizeof(s)) == sizeof(s)) {
		uint32_t n = htole32(s.ssi_signo);

		if (s.ssi_signo == SIGWINCH && x->terminal >= 0)
			send_size(x);
		else if (s.ssi_signo != SIGCHLD && s.ssi_signo != SIGPIPE)
			wire_send(x->conn, WIRE_SIGNAL, 1, &n, sizeof(n), NULL);
	}
}

/* The wait status with which the process in the guest ended. */
static int follow(struct proxy *x)
{
	struct pollfd p[2] = {{.fd = x->signals, .events = POLLIN},
			      {.fd = x->conn, .events = POLLIN}};
	struct wire_frame f;
	uint32_t status;

	send_size(x);
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			pass_signals(x);
		if (!p[1].revents)
			continue;
		/* The machine is gone, and with it the process. */
		if (wire_recv(x->conn, &x->in, &f, NULL) != 1)
			return SIGKILL;
		if (f.type == WIRE_EXIT && f.len == sizeof(status)) {
			memcpy(&status, f.data, sizeof(status));
			return (int)(le32toh(status) & 0xffff);
		}
	}
}

/* The child: hands its stdio over and then only waits. */
static _Noreturn void stand_in(int dir, const struct buf *process, int sync, int slave)
{
	struct proxy x = {.terminal = slave, .in = WIRE_READER_INIT};
	const int stdio[3] = {slave >= 0 ? slave : 0, slave >= 0 ? slave : 1,
			      slave >= 0 ? slave : 2};
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err e = ERR_INIT;
	sigset_t all;
	int r;

	ocivmhold_detach(slave);
	prctl(PR_SET_NAME, "caisson-vm-exec");
	sigfillset(&all);
	x.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	x.conn = r = connect_to(dir, stdio, &e);
	if (r >= 0)
		r = wire_send(x.conn, WIRE_EXEC, 1, process->p, process->len, &e);
	if (r == 0)
		r = expect(x.conn, &x.in, WIRE_STARTED, &e);
	if (r < 0) {
		wire_send(sync, WIRE_ERR, 0, &e, sizeof(e), NULL);
		_exit(255);
	}
	/* An end of file has to reach who reads: the holder has the only copies from here on. */
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	wire_send(sync, WIRE_OK, 0, NULL, 0, NULL);
	ocivmhold_close_others((int[]){x.conn, x.signals, slave}, 3);
	if (chdir("/") < 0)
		_exit(255);
	ocivmhold_end(follow(&x));
}

static int exec_child(int dir, const struct buf *process, int slave, struct launch *out,
		      struct err *e)
{
	struct wire_reader in = WIRE_READER_INIT;
	auto_fd int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	r = fork_into(out, e);
	if (r == 0)
		stand_in(dir, process, theirs, slave);
	if (r < 0)
		return r;
	close(take_fd(&theirs));
	r = expect(ours, &in, WIRE_OK, e);
	wire_reader_done(&in);
	return r;
}

int ocivm_exec(int dir, const struct plan_process *process, const struct launch_opts *opts,
	       struct launch *out, struct err *e)
{
	struct plan_process inside = *process;
	auto_buf struct buf text = BUF_INIT(WIRE_PAYLOAD_MAX);
	auto_fd int slave = -1;
	int r;

	if (opts->preserve_fds)
		return err_set(e, ERR_UNSUPPORTED,
			       "--preserve-fds and LISTEN_FDS with isolation vm: a descriptor of "
			       "the host cannot enter the machine");
	if (opts->cgroup_subs)
		return err_set(e, ERR_UNSUPPORTED,
			       "--cgroup with isolation vm: cgroups of the guest are its own");
	/* As in vmm/guestplan.c: the guest's kernel has neither. */
	inside.apparmor_profile = inside.selinux_label = NULL;
	jbind_write(&plan_process_table, &inside, &text);
	r = buf_fail(&text, "process", e);
	if (r == 0 && inside.terminal)
		r = terminal(&inside.console_size, &out->console, &slave, e);
	if (r == 0)
		r = exec_child(dir, &text, slave, out, e);
	if (r < 0 && out->pid > 0) {
		kill(out->pid, SIGKILL);
		while (waitpid(out->pid, NULL, 0) < 0 && errno == EINTR)
			;
		out->pid = 0;
	}
	return r;
}
