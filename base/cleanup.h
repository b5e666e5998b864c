/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership, said in the declaration.
 *
 *	autofree char *text = NULL;
 *	autoclose int fd = -1;
 *	_cleanup_(plan_done) struct plan plan = { 0 };
 *
 * Always initialised on the line. What must outlive the scope leaves through
 * steal_ptr() or steal_fd(), so that grep finds every hand-over.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __CPPCHECK__
/* It does not know the attribute, but never asks who releases a static. */
#define _cleanup_(f) static
#else
#define _cleanup_(f) __attribute__((cleanup(f)))
#endif

/* Defines auto_f(), which calls f() on the variable's value when not NULL. */
#define DEFINE_CLEANUP(type, f)                                                \
	static inline void auto_##f(type *p)                                   \
	{                                                                      \
		if (*p)                                                        \
			f(*p);                                                 \
	}                                                                      \
	struct cleanup_needs_a_semicolon

static inline void auto_free_(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void auto_fclose_(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void auto_closedir_(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define autofree     _cleanup_(auto_free_)
#define autoclose    _cleanup_(auto_close_)
#define autofclose   _cleanup_(auto_fclose_)
#define autoclosedir _cleanup_(auto_closedir_)

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#ifdef __CPPCHECK__ /* as with MIN_OF() */
#define steal_ptr(p) (p)
#else
#define steal_ptr(p)                                                           \
	({                                                                     \
		__typeof__(p) taken_ = (p);                                    \
		(p) = NULL;                                                    \
		taken_;                                                        \
	})
#endif
