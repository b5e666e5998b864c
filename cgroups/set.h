/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A set of settings: "this text into that file", written all or none.
 *
 *	_cleanup_(cg_set_done) struct cg_set set = { 0 };
 *	s = cg_set_add(&set, dirfd, CG_CTL_MEMORY, "memory.max", "%lu", n);
 *	r = cg_set_write(&set, &how, e);
 *
 * The kernel ties some files to each other (a quota must not be below the
 * burst, v1's memory limit not above that of memory and swap), and which of
 * the two has to go first depends on what was there. So nothing is ordered
 * here: what is refused with -EINVAL is tried once more after the others, for
 * as long as that gets anything done.
 *
 * With how->undo every file is read first, and a refusal writes back, in
 * reverse, what was written. Some files hold one line per device; there only
 * the line with our key is put back, or our key is removed.
 */
#include "base/err.h"
#include "cgroups/ctl.h"

struct cg_setting {
	enum cg_ctl ctl;
	int dirfd; /* borrowed */
	char file[64];
	char *value;
	size_t key_len;	   /* the first bytes of value name the line */
	const char *reset; /* what behind the key removes the line */
	const char *word;  /* the old value stands behind this word */
	bool optional;	   /* a missing file is fine */
	/* Not written: another setting changes it, and an undo puts it back
	 * after that one, which stands behind it. */
	bool keep;
	/* Of neighbours with the same word one file must be there; the word
	 * is what the message says is missing. */
	const char *one_of;
	/* Looks whether the kernel took it as it was meant. */
	int (*check)(const struct cg_setting *s, struct err *e);

	char *old;
	bool written;
	bool missing;
};

struct cg_set {
	struct cg_setting *v;
	size_t n;
	int error; /* of an add: reported by cg_set_write() */
};

struct cg_set_how {
	bool undo;
	/* A file is not there: make its controller available, or fail. */
	int (*enable)(void *arg, enum cg_ctl ctl, struct err *e);
	void *arg;
};

/* NULL when out of memory; cg_set_write() tells. The pointer is good until
 * the next call. */
struct cg_setting *cg_set_add(struct cg_set *set, int dirfd, enum cg_ctl ctl,
			      const char *file, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* The value starts with "<key> "; lines of other keys are not touched. */
void cg_setting_keyed(struct cg_setting *s, const char *reset);
void cg_set_done(struct cg_set *set);

MUST_CHECK int cg_set_write(struct cg_set *set, const struct cg_set_how *how,
			    struct err *e);
/* Once more what could be read before, after somebody who rounds has written to
 * the same files. */
MUST_CHECK int cg_set_again(struct cg_set *set, struct err *e);
/* Writes back what cg_set_write() replaced: for a caller that fails later. */
void cg_set_undo(struct cg_set *set);
