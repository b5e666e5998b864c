/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where our programs begin, before the C library does.
 *
 * rt_protect_self() executes us once more, from a read-only mount of our own
 * binary. By then the C library has set itself up, which costs more than all
 * the rest of that: static ones ask the processor some seventy times what it
 * is, and each question is an exit to the hypervisor where there is one. Here
 * nothing is set up yet, so that it happens once.
 *
 * It is a short cut, not the protection: rt_protect_self() looks again, and
 * does what was not done here. Whatever is unusual is left to it.
 *
 * Nothing is relocated and no thread pointer is set: no call of a library, not
 * even memcpy(), no table of pointers, no stack protector. src/cli/folder.am
 * has the flags, tests/lint/hardening.bats looks at the object.
 */
#include "src/cli/entry.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/prefault.h"

#define SELF	 "/proc/self/exe"
#define VARIABLE "MOAT_LIBEXECDIR="
#define AGENT	 "/moat-guest"

#ifndef ST_RDONLY
#define ST_RDONLY 0x0001
#endif

/* The kernel's block: the number of arguments, those, NULL, the environment,
 * NULL. */
__asm__(".text\n"
	".globl cmd_entry\n"
	".type cmd_entry, @function\n"
	"cmd_entry:\n"
	"	endbr64\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	pushq %rdx\n" /* what _start is to find there */
	"	pushq %rdx\n" /* for the alignment */
	"	call cmd_entry_protect\n"
	"	popq %rdx\n"
	"	popq %rdx\n"
	"	jmp _start\n"
	".size cmd_entry, . - cmd_entry\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

/* Where s differs from word, or NULL when it begins with it. */
static const char *behind(const char *s, const char *word)
{
	while (*word)
		if (*s++ != *word++)
			return NULL;
	return s;
}

static bool is(const char *s, const char *word)
{
	const char *rest = behind(s, word);

	return rest && *rest == '\0';
}

/* The commands that protect themselves. In one place, for the sake of page
 * faults; pointers to them would have to be relocated. */
static const char commands[][8] = { "create", "run", "exec", "restore" };

static bool is_command(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (is(word, commands[i]))
			return true;
	return false;
}

/* Another word that looks like a command does no harm. */
static bool will_protect(char *const *argv)
{
	for (; *argv; argv++)
		if (is_command(*argv))
			return true;
	return false;
}

/*
 * rt_note_place(), as "VARIABLE=folder" in buf: true when we are run from the
 * folder we were built in.
 */
static bool note_place(char *const *env, char *buf, size_t size)
{
	const size_t start = sizeof(VARIABLE) - 1;
	size_t slash = 0, i;
	long n;

	for (; *env; env++)
		if (behind(*env, VARIABLE))
			return false;
	for (i = 0; i < start; i++)
		buf[i] = VARIABLE[i];
	n = call(SYS_readlink, (long)SELF, (long)(buf + start),
		 (long)(size - start - sizeof(AGENT)), 0, 0);
	for (i = start; n > 0 && i < start + (size_t)n; i++)
		if (buf[i] == '/')
			slash = i;
	if (slash == 0)
		return false;
	for (i = 0; i < sizeof(AGENT); i++)
		buf[slash + i] = AGENT[i];
	if (call(SYS_access, (long)(buf + start), R_OK, 0, 0, 0) != 0)
		return false;
	buf[slash] = '\0';
	return true;
}

/* See detached_mount() in src/runtime/self.c. */
static int detached_mount(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	long fd = call(SYS_open_tree, AT_FDCWD, (long)SELF,
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);

	if (fd < 0)
		return -1;
	if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr,
		 sizeof(attr)) == 0)
		return (int)fd;
	(void)call(SYS_close, fd, 0, 0, 0, 0);
	return -1;
}

static void execute(int fd, char *const *argv, char *const *env)
{
	(void)call(SYS_execveat, fd, (long)"", (long)argv, (long)env,
		   AT_EMPTY_PATH);
}

/*
 * One more variable needs one more place: the arguments move down by one, over
 * their number, and leave it between them and the environment.
 */
static void execute_with(int fd, uintptr_t *block, size_t argc, char *variable)
{
	for (size_t i = 0; i <= argc; i++)
		block[i] = block[i + 1];
	block[argc + 1] = (uintptr_t)variable;
	execute(fd, (char *const *)block, (char *const *)(block + argc + 1));
	for (size_t i = argc + 1; i > 0; i--)
		block[i] = block[i - 1];
	block[0] = argc;
}

/* Not in its caller, whose frame every start of the program pays for. */
__attribute__((noinline)) static void execute_again(uintptr_t *block, int fd)
{
	const size_t argc = block[0];
	char *const *argv = (char *const *)(block + 1);
	char *const *env = argv + argc + 1;
	char variable[sizeof(VARIABLE) + PATH_MAX];

	if (note_place(env, variable, sizeof(variable)))
		execute_with(fd, block, argc, variable);
	else
		execute(fd, argv, env);
}

static void prefault(struct prefault p, int how)
{
	(void)call(SYS_madvise, (long)p.at, (long)p.len, how, 0, 0);
}

void cmd_entry_protect(uintptr_t *block)
{
	struct statfs fs;
	int fd;

	fs.f_flags = 0;
	if (!will_protect((char *const *)(block + 1)) ||
	    call(SYS_geteuid, 0, 0, 0, 0, 0) != 0 ||
	    call(SYS_statfs, (long)SELF, (long)&fs, 0, 0, 0) != 0)
		return;
	if (fs.f_flags & ST_RDONLY) {
		/* It is us again, and we stay. */
		prefault(prefault_data(), MADV_POPULATE_WRITE);
		return;
	}
	fd = detached_mount();
	if (fd < 0)
		return;
	execute_again(block, fd);
	(void)call(SYS_close, fd, 0, 0, 0, 0);
}
