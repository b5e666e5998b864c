/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/clone.h"
#include "src/runtime/sync.h"

#define ANSWER_MAX	65536
#define LOG_MAX		(16U << 20)
#define NOT_STARTED	127
#define KILL_TIMEOUT_MS 10000

/* --- the process -----------------------------------------------------------*/

static int keep_open(int fd)
{
	return fcntl(fd, F_SETFD, 0); /* criu is to inherit it */
}

/* criu wants the root to be a mount. Ours is nobody else's to see, and gone
 * when criu ends. */
static int mount_root(const char *root)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	return 0;
}

/* By its number, but of this mount namespace: criu mounts in there. */
static int open_again(const char *path, int fd)
{
	autoclose int again = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (again < 0 || dup2(again, fd) < 0) /* criu is to inherit it */
		return -errno;
	return 0;
}

static int cover_images(const struct criu_job *job)
{
	if (job->images_tree < 0)
		return 0;
	return move_mount(job->images_tree, "", AT_FDCWD, job->dirs->images,
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0
		       ? -errno
		       : 0;
}

static int prepare_criu(const struct criu_job *job, struct err *e)
{
	int r;

	r = job->root ? mount_root(job->root) : 0;
	if (r < 0)
		return err_code(e, r, "mount '%s'", job->root);
	/* The log first: as another's it could not be written. */
	r = open_again(job->dirs->work, job->dirs->work_fd);
	if (r < 0)
		return err_code(e, r, "open '%s'", job->dirs->work);
	r = cover_images(job);
	if (r >= 0)
		r = open_again(job->dirs->images, job->dirs->images_fd);
	if (r < 0)
		return err_code(e, r, "open '%s'", job->dirs->images);
	for (size_t i = 0; i < job->n_fds; i++)
		if (keep_open(job->fds[i]) < 0)
			return err_errno(e, "pass on a descriptor");
	if (job->old_mask)
		(void)sigprocmask(SIG_SETMASK, job->old_mask, NULL);
	return 0;
}

/*
 * criu looks up the descriptors we name at whoever has made the socket: the
 * process itself, then, which has those of its mount namespace.
 */
static int make_socket(int end, int *ret, struct err *e)
{
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, "make a socket");
	r = sync_send_fd(end, SYNC_CONSOLE, ends[0], e);
	(void)close(ends[0]);
	*ret = ends[1];
	return r < 0 || keep_open(ends[1]) < 0 ? -EIO : 0;
}

NORETURN static void become_criu(const struct criu_job *job, int end)
{
	struct err e = { 0 };
	char number[16];
	int sock = -1;

	if (prepare_criu(job, &e) < 0 || make_socket(end, &sock, &e) < 0) {
		sync_fail(end, &e);
		_exit(1);
	}
	(void)snprintf(number, sizeof(number), "%d", sock);
	(void)execlp("criu", "criu", "swrk", number, (char *)NULL);
	_exit(NOT_STARTED);
}

/* The one we have started. */
struct peer {
	int sock;
	int pidfd;
	pid_t pid;
};

static int start_criu(struct criu_job *job, struct peer *ret, struct err *e)
{
	const struct ns_clone c = {
		.flags = job->root ? CLONE_NEWNS : 0,
		.cgroup_fd = job->cgroup ? cg_clone_fd(job->cgroup) : -1,
		.ret_pidfd = &ret->pidfd,
	};
	autoclose int ours = -1, theirs = -1;
	int ends[2], r;

	r = sync_pair(ends, e);
	if (r < 0)
		return r;
	ours = ends[0];
	theirs = ends[1];
	ret->pid = ns_fork(&c, e);
	if (ret->pid == 0)
		become_criu(job, theirs);
	(void)close(steal_fd(&theirs));
	if (ret->pid < 0)
		return ret->pid;
	r = sync_wait_fd(ours, SYNC_CONSOLE, &ret->sock, e);
	if (r < 0)
		return r;
	return job->cgroup ? cg_join(job->cgroup, ret->pid, e) : 0;
}

/* --- the conversation ------------------------------------------------------*/

static int say(int sock, enum criu_type type, const struct criu_msg *opts,
	       struct err *e)
{
	_cleanup_(criu_msg_done) struct criu_msg m = { 0 };

	criu_put_num(&m, 1, type);
	if (opts)
		criu_put_msg(&m, 2, opts);
	else
		criu_put_flag(&m, 3, true);
	if (m.failed)
		return err_nomem(e);
	return fd_send(sock, m.v, m.n, NULL, 0, e);
}

/*
 * 1: it says something; 0: it has gone. Not by the socket's end alone: those
 * that criu has started have it open, too, and may outlive it.
 */
static int await(const struct criu_job *job, const struct peer *c,
		 struct err *e)
{
	struct pollfd p[] = {
		{ .fd = c->sock, .events = POLLIN },
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = job->stop, .events = POLLIN },
	};

	if (TEMP_FAILURE_RETRY(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(e, "wait for criu");
	if (p[0].revents)
		return 1;
	return p[1].revents ? 0 : err_set(e, -ECANCELED, "called off");
}

/* Gives its length; 0 when criu has gone. */
static ssize_t hear(int sock, char *buf, int *ret_fd, struct err *e)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = buf, .iov_len = ANSWER_MAX };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *c;
	ssize_t n;

	n = TEMP_FAILURE_RETRY(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC));
	if (n < 0)
		return errno == ECONNRESET ? 0 : err_errno(e, "hear from criu");
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		(void)memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

static int answer_script(struct criu_job *job, int sock,
			 const struct criu_answer *a, int fd, struct err *e)
{
	int r = 0;

	if (job->on_script)
		r = job->on_script(job->arg, a->script, a->script_pid, fd, e);
	else if (fd >= 0)
		(void)close(fd);
	return r < 0 ? r : say(sock, CRIU_NOTIFY, NULL, e);
}

/* Until it is done: 1 when it has succeeded, 0 when it has not. */
static int converse(struct criu_job *job, const struct peer *c,
		    struct criu_answer *a, struct err *e)
{
	autofree char *buf = malloc(ANSWER_MAX);
	int r;

	if (!buf)
		return err_nomem(e);
	for (;;) {
		int fd = -1;
		ssize_t n = await(job, c, e);

		if (n > 0)
			n = hear(c->sock, buf, &fd, e);
		if (n <= 0)
			return (int)n;
		r = criu_read_answer(buf, (size_t)n, a, e);
		if (r < 0)
			return r;
		if (a->type != CRIU_NOTIFY)
			return a->success;
		r = answer_script(job, c->sock, a, fd, e);
		if (r < 0)
			return r;
	}
}

/* --- when it fails ---------------------------------------------------------*/

/* The first complaint in the log, without its time; the caller frees. */
static char *first_error(const char *path)
{
	struct err ignored = { 0 };
	autofree char *text = NULL;
	const char *at;

	if (fd_read_file_at(AT_FDCWD, path, LOG_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	at = strstr(text, "Error (");
	return at ? strndup(at, MIN_OF(strcspn(at, "\n"), 200UL)) : NULL;
}

static int explain(const struct criu_job *job, const struct criu_answer *a,
		   int status, struct err *e)
{
	autofree char *path = NULL, *why = NULL;

	if (status == NOT_STARTED)
		return err_set(
			e, -ENOPKG,
			"the program criu, which does this, is not installed");
	path = str_printf("%s/%s", job->dirs->work, job->log_file);
	if (!path)
		return err_nomem(e);
	why = first_error(path);
	return err_set(e, -EIO, "criu failed: %s; its log is '%s'",
		       why	       ? why
		       : a->message[0] ? a->message
		       : a->error > 0  ? strerrordesc_np(a->error)
				       : "it ended early",
		       path);
}

/* What a criu that was killed had restored so far; the group was empty. */
static void kill_rest(const struct criu_job *job)
{
	struct err why = { 0 };
	int r;

	if (!job->cgroup)
		return;
	r = cg_kill(job->cgroup, &why);
	if (r >= 0)
		r = cg_wait_empty(job->cgroup, KILL_TIMEOUT_MS, &why);
	if (r < 0)
		log_debug("after criu: %s", err_text(&why));
}

int criu_run(struct criu_job *job, struct err *e)
{
	struct peer c = { .sock = -1, .pidfd = -1 };
	struct criu_answer a = { 0 };
	int r, status = 0;

	r = start_criu(job, &c, e);
	if (r >= 0 && job->cgroup)
		r = criu_put_cgroups(job->opts, c.pid, e);
	if (r >= 0)
		r = say(c.sock, job->type, job->opts, e);
	/* One that is not there does not listen. */
	if (r >= 0 || r == -ENOTCONN)
		r = converse(job, &c, &a, e);
	if (r < 0 && c.pid > 0)
		(void)kill(c.pid, SIGKILL);
	if (c.sock >= 0)
		(void)close(c.sock);
	if (c.pid > 0)
		status = proc_reap(c.pid, NULL);
	if (c.pidfd >= 0)
		(void)close(c.pidfd);
	if (r <= 0)
		kill_rest(job);
	if (r < 0)
		return r;
	if (r == 0)
		return explain(job, &a, status, e);
	job->restored = a.restored_pid;
	return 0;
}
