/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/events.h"
#include "cgroups/procs.h"

/*
 * A thread of the kernel is never frozen, and a group that holds one never
 * says that it is: before Linux 6.14, KVM puts one of its own
 * (kvm-nx-lpage-recovery) into the group of whoever makes a machine. So after
 * a moment of waiting the threads are looked at themselves.
 */
#define MOMENT_MS   50
#define THREADS_MAX (1U << 20) /* bytes of the list */
#define PF_KTHREAD  0x00200000U

static bool is_kernels(const char *tid)
{
	char path[64], text[512], *save = NULL;
	const char *word;
	uint64_t flags;
	char *rest;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", tid);
	if (fd_read_small_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	/* Its name may have anything in it. */
	rest = strrchr(text, ')');
	word = rest ? strtok_r(rest, " ", &save) : NULL;
	for (int i = 0; i < 7 && word; i++)
		word = strtok_r(NULL, " ", &save);
	return word && str_to_u64(word, &flags) == 0 && (flags & PF_KTHREAD);
}

/* Where it sleeps: do_freezer_trap(), or what that was inlined into. */
static bool is_trapped(const char *tid)
{
	char path[64], text[64];

	(void)snprintf(path, sizeof(path), "/proc/%.20s/wchan", tid);
	return fd_read_small_at(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	       (str_eq(text, "do_freezer_trap") || str_eq(text, "get_signal"));
}

/* The kernel's threads are all that runs. Groups below are not looked into:
 * a machine has none. */
static bool rest_is_frozen(int fd)
{
	autofree char *text = NULL;
	autostrv char **tids = NULL;
	struct err ignored = { 0 };
	bool any = false;

	if (fd_read_file_at(fd, "cgroup.threads", THREADS_MAX, &text, NULL,
			    &ignored) < 0 ||
	    strv_split(text, '\n', &tids) < 0)
		return false;
	STRV_FOREACH(tid, tids) {
		if ((*tid)[0] == '\0')
			continue;
		if (is_kernels(*tid))
			any = true;
		else if (!is_trapped(*tid))
			return false;
	}
	return any;
}

static bool is_frozen(const struct cg_events *ev)
{
	return ev->frozen;
}

int cg_v2_await_frozen(int fd, int timeout_ms, struct err *e)
{
	uint64_t deadline = cg_deadline(timeout_ms);
	struct err why = { 0 };
	int r;

	do {
		r = cg_events_wait(fd, is_frozen,
				   MIN_OF(MOMENT_MS, cg_left_ms(deadline)),
				   &why);
		if (r != -ETIMEDOUT)
			break;
		if (rest_is_frozen(fd))
			return 0;
	} while (cg_left_ms(deadline) > 0);
	return r < 0 ? err_set(e, r, "%s", err_text(&why)) : 0;
}
