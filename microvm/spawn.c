/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#define DEFAULT_PATH                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Nothing of our handlers, masks and ignored signals. */
static void reset_signals(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int take_stdio(const struct vm_spawn *s, struct err *e)
{
	autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* allow dup2: 0, 1 and 2 are what a program's stdio is called */
	if (null < 0 || dup2(null, 0) < 0 || dup2(s->log, 1) < 0 ||
	    dup2(s->log, 2) < 0) /* allow dup2: the same */
		return err_errno(e, "set up stdio");
	return 0;
}

static int become(const struct vm_spawn *s, pid_t starter, struct err *e)
{
	char path[] = "PATH=" DEFAULT_PATH;
	char *env[] = { path, NULL };
	int r;

	(void)setsid();
	r = take_stdio(s, e);
	if (r == 0 && s->prepare)
		r = s->prepare(s->arg, e);
	if (r < 0)
		return r;
	/* After the last change of ids, which would undo it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_errno(e, "tie to the starter");
	/* It may have died before. */
	if (getppid() != starter)
		return err_set(e, -ESRCH, "the starter is gone");
	for (size_t i = 0; i < s->n_keep; i++)
		if (fcntl(s->keep[i], F_SETFD, 0) < 0)
			return err_errno(e, "pass descriptor %d", s->keep[i]);
	reset_signals();
	(void)execve(s->path, s->argv, env);
	return err_errno(e, "execute '%s'", s->path);
}

/* The pipe ends when the program begins; before, it carries an error. */
static int wait_for_exec(int end, pid_t pid, struct err *e)
{
	struct err told = { 0 };
	int r = fd_read_exact(end, &told, sizeof(told));

	if (r == -ENODATA && told.code == 0)
		return 0;
	(void)!proc_reap(pid, NULL);
	told.text[ERR_TEXT - 1] = '\0';
	return err_set(e, told.code < 0 ? told.code : -EIO, "%s",
		       err_text(&told));
}

pid_t vm_spawn(const struct vm_spawn *s, struct err *e)
{
	autoclose int ours = -1, theirs = -1;
	pid_t starter = getpid(), pid;
	struct err told = { 0 };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	ours = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid < 0)
		return err_errno(e, "fork");
	if (pid == 0) {
		told.code = become(s, starter, &told);
		_exit(fd_write_all(theirs, &told, sizeof(told)) < 0 ? 1 : 2);
	}
	(void)close(steal_fd(&theirs));
	r = wait_for_exec(ours, pid, e);
	return r < 0 ? r : pid;
}

static char *in_path(const char *name)
{
	autostrv char **dirs = NULL;

	if (strv_split(DEFAULT_PATH, ':', &dirs) < 0)
		return NULL;
	STRV_FOREACH(d, dirs) {
		autofree char *path = str_printf("%s/%s", *d, name);

		if (path && access(path, X_OK) == 0)
			return steal_ptr(path);
	}
	return NULL;
}

int vm_find_program(const char *const *names, char **ret)
{
	for (; *names; names++) {
		char *found = NULL;

		if (!strchr(*names, '/'))
			found = in_path(*names);
		else if (access(*names, X_OK) == 0)
			found = strdup(*names);
		if (found) {
			*ret = found;
			return 0;
		}
	}
	return -ENOENT;
}

/* It cannot grow: a guest that makes its monitor complain for ever fills no
 * memory of the host's. Its writer then gets an error that nobody reads. */
int vm_log_new(struct err *e)
{
	autoclose int fd =
		memfd_create("moat-vm-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, VM_LOG_MAX) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_errno(e, "make memory file");
	return steal_fd(&fd);
}

void vm_log_tail(int log, char *ret, size_t size)
{
	off_t end = log < 0 ? 0 : lseek(log, 0, SEEK_CUR);
	off_t start = end > (off_t)size - 1 ? end - ((off_t)size - 1) : 0;
	ssize_t n = 0;
	char *line;

	if (end > 0)
		n = pread(log, ret, (size_t)(end - start), start);
	ret[MAX_OF(n, (ssize_t)0)] = '\0';
	line = start > 0 ? strchr(ret, '\n') : NULL;
	if (line)
		(void)memmove(ret, line + 1, strlen(line + 1) + 1);
	/* One sentence of it: it stands in an error message. */
	n = (ssize_t)strlen(ret);
	while (n > 0 && ret[n - 1] == '\n')
		ret[--n] = '\0';
}
