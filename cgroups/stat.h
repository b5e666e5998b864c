/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading statistics, by tables from file and key to member. */
#include "cgroups/cg.h"

struct cg_stat_field {
	const char *file;
	const char *key; /* NULL: the file is one number */
	size_t offset;	 /* of an opt_u64 in struct cg_stat */
	uint64_t divide; /* 0: as it is */
};

/* clang-format off */
#define CG_STAT(f, k, m, ...)                                                  \
	{ .file = (f), .key = (k),                                             \
	  .offset = offsetof(struct cg_stat, m) +                              \
		(0 * sizeof(char[__builtin_types_compatible_p(                 \
			__typeof__(((struct cg_stat *)0)->m),                  \
			struct opt_u64) ? 1 : -1])),                           \
	  __VA_ARGS__ }
/* clang-format on */

/* Rows of one file stand together: it is read once. Files that are not there
 * leave their members unset. */
MUST_CHECK int cg_stat_fields(int dirfd, const struct cg_stat_field *fields,
			      size_t n, struct cg_stat *s, struct err *e);

/* All lines "name number" of a file into s->memory_raw. */
MUST_CHECK int cg_stat_raw(int dirfd, const char *file, struct cg_stat *s,
			   struct err *e);
MUST_CHECK int cg_stat_pressure(int dirfd, const char *file,
				struct cg_pressure *ret, struct err *e);
/* One line of text; NULL when the file is not there. */
MUST_CHECK int cg_stat_text(int dirfd, const char *file, char **ret,
			    struct err *e);

/* The entry of the device "8:0", made when it is new; NULL for what is no
 * device. Writes into word. */
MUST_CHECK int cg_stat_device(struct cg_stat *s, char *word,
			      struct cg_io_stat **ret, struct err *e);

/* Huge page sizes of the kernel as files are named ("2MB"), one call each. */
MUST_CHECK int cg_stat_page_sizes(int (*fn)(void *arg, const char *size,
					    struct err *e),
				  void *arg, struct err *e);

/* The v2 group's numbers; stat_v2.c. */
MUST_CHECK int cg_v2_stat(int fd, struct cg_stat *s, struct err *e);

/* A number, or "max". */
MUST_CHECK int cg_stat_number(const char *text, uint64_t *ret);
/* Reads a file of one number; *ret stays when it is not there. */
MUST_CHECK int cg_stat_file(int dirfd, const char *file, uint64_t *ret,
			    struct err *e);
