/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/qemu_priv.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/str.h"
#include "microvm/spawn.h"

/*
 * Two programs have this name: the one in C that came with QEMU until 7.2
 * (Debian 12), and its successor in Rust. They do the same and are told so in
 * different words.
 */
static const char *const programs[] = {
	"/usr/libexec/virtiofsd",
	"/usr/lib/virtiofsd",
	"/usr/lib/qemu/virtiofsd",
	"virtiofsd",
	NULL,
};

static int is_rust(const char *program, bool *ret, struct err *e)
{
	char *argv[] = { (char *)program, (char *)"--help", NULL };
	autofree char *help = NULL;
	struct proc_run run = {
		.path = program,
		.argv = argv,
		.timeout_ms = 10000,
		.quiet = true,
		.ret_output = &help,
	};
	int r = proc_run(&run, e);

	if (r < 0)
		return r;
	*ret = help && strstr(help, "--shared-dir");
	return 0;
}

/*
 * A socket that listens, and one that has connected to it already: the one
 * connection there will ever be is ours, whoever else may see the name, which
 * the kernel makes up and the network namespace confines.
 */
static int make_pair(int *ret_listen, int *ret_connected, struct err *e)
{
	autoclose int listener = -1, client = -1;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || client < 0)
		return err_errno(e, "make sockets");
	if (bind(listener, (struct sockaddr *)&a, sizeof(a.sun_family)) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) < 0 ||
	    connect(client, (struct sockaddr *)&a, len) < 0)
		return err_errno(e, "connect sockets");
	*ret_listen = steal_fd(&listener);
	*ret_connected = steal_fd(&client);
	return 0;
}

struct dialect {
	const char *source; /* in front of the folder */
	const char *const *options;
};

static const char *const options_rust[] = {
	"--sandbox=chroot",
	"--cache=auto",
	"--xattr",
	"--announce-submounts",
	"--rlimit-nofile=0",
	"--log-level=warn",
	NULL,
};
static const char *const options_c[] = {
	"-osandbox=chroot",
	"-ocache=auto",
	"-oxattr",
	"-oannounce_submounts",
	"--rlimit-nofile=0",
	"-olog_level=warn",
	"-f",
	NULL,
};
static const struct dialect rust = { "--shared-dir=", options_rust };
static const struct dialect c = { "-osource=", options_c };

/* "/." since the program looks whether its folder is one, and not a link. */
static int make_argv(const char *program, const struct dialect *d, int socket,
		     int dir, char ***ret)
{
	autostrv char **v = NULL;
	int r;

	r = strv_add(&v, program);
	if (r == 0)
		r = strv_addf(&v, "--fd=%d", socket);
	if (r == 0)
		r = strv_addf(&v, "%s/proc/self/fd/%d/.", d->source, dir);
	for (const char *const *o = d->options; r == 0 && *o; o++)
		r = strv_add(&v, *o);
	if (r == 0)
		*ret = steal_ptr(v);
	return r;
}

/* What is shared, in the program itself: read-only where it shall be, since
 * the guest need not keep to it, and with all files it may open. */
static int prepare(void *arg, struct err *e)
{
	const struct vm_share *share = arg;
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	struct rlimit files;
	autoclose int tree = -1;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!share->readonly)
		return 0;
	tree = (int)syscall(SYS_open_tree, share->dir_fd, "",
			    AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE |
				    OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return err_errno(e, "clone the mount");
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
		    &readonly, sizeof(readonly)) < 0)
		return err_errno(e, "make it read-only");
	/* allow dup2: the number that the command line names */
	if (dup2(tree, share->dir_fd) < 0)
		return err_errno(e, "replace the descriptor");
	return 0;
}

static pid_t start(const char *program, const struct vm_share *share, int log,
		   int socket, struct err *e)
{
	autostrv char **argv = NULL;
	int keep[] = { socket, share->dir_fd };
	struct vm_spawn s = {
		.path = program,
		.keep = keep,
		.n_keep = ARRAY_SIZE(keep),
		.log = log,
		.prepare = prepare,
		.arg = (void *)share,
	};
	bool newer = false;
	int r;

	r = is_rust(program, &newer, e);
	if (r < 0)
		return r;
	if (make_argv(program, newer ? &rust : &c, socket, share->dir_fd,
		      &argv) < 0)
		return err_nomem(e);
	s.argv = argv;
	return vm_spawn(&s, e);
}

pid_t vm_qemu_fs(const struct vm_share *share, int log, int *ret_fd,
		 struct err *e)
{
	autoclose int listener = -1, connected = -1;
	autofree char *program = NULL;
	pid_t pid;
	int r;

	if (vm_find_program(programs, &program) < 0)
		return err_set(
			e, -ENOENT,
			"virtiofsd is not installed (Debian 12: qemu-system-common, later: virtiofsd)");
	r = make_pair(&listener, &connected, e);
	if (r < 0)
		return r;
	pid = start(program, share, log, listener, e);
	if (pid < 0)
		return err_wrap(e, pid, "share '%s'", share->tag);
	*ret_fd = steal_fd(&connected);
	return pid;
}
