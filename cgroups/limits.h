/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From members of struct cg_limits to settings. Two tables know every member:
 * limits.c for cgroup v2, limits_v1.c for v1; a row without a file says that
 * this version has no such limit, and asking for it there is an error. Which
 * table a member goes through depends on where the host keeps its controller.
 */
#include "cgroups/cg.h"
#include "cgroups/set.h"

enum cg_format {
	CG_FORMAT_U32,	/* opt_u32 within min..max */
	CG_FORMAT_U64,	/* opt_u64 within min..max */
	CG_FORMAT_I64,	/* opt_i64 within min..max */
	CG_FORMAT_MAX,	/* opt_i64; -1 is "max" */
	CG_FORMAT_V1,	/* opt_i64; -1 is "-1" */
	CG_FORMAT_BOOL, /* opt_bool: 0, 1 */
	CG_FORMAT_TEXT, /* char * */
};

struct cg_limit {
	const char *member; /* for messages */
	const char *file;   /* NULL: not with this version */
	enum cg_ctl ctl;
	enum cg_format format;
	size_t offset; /* in struct cg_limits */
	uint64_t min, max;
	int (*check)(const struct cg_setting *s, struct err *e);
};

/* Members that are no single number, or depend on each other. */
struct cg_limit_group {
	const char *member;
	enum cg_ctl ctl;
	bool (*asked)(const struct cg_limits *l);
	/* NULL: not with this version */
	int (*add)(const struct cg_limits *l, int dirfd, struct cg_set *set,
		   struct err *e);
};

/* clang-format off */
#define CG_LIMIT_(c, m, f, F, T, ...)                                          \
	{ .member = #m, .file = (f), .ctl = (c), .format = (F),                \
	  .offset = offsetof(struct cg_limits, m) +                            \
		(0 * sizeof(char[__builtin_types_compatible_p(                 \
			__typeof__(((struct cg_limits *)0)->m), T) ? 1 : -1])),\
	  __VA_ARGS__ }
#define CG_LIMIT_U32(c, m, f, lo, hi) CG_LIMIT_(c, m, f, CG_FORMAT_U32, struct opt_u32, .min = (lo), .max = (hi))
#define CG_LIMIT_U64(c, m, f, lo, hi) CG_LIMIT_(c, m, f, CG_FORMAT_U64, struct opt_u64, .min = (lo), .max = (hi))
#define CG_LIMIT_I64(c, m, f, hi)     CG_LIMIT_(c, m, f, CG_FORMAT_I64, struct opt_i64, .max = (hi))
#define CG_LIMIT_MAX(c, m, f)         CG_LIMIT_(c, m, f, CG_FORMAT_MAX, struct opt_i64)
#define CG_LIMIT_V1(c, m, f, ...)     CG_LIMIT_(c, m, f, CG_FORMAT_V1, struct opt_i64, __VA_ARGS__)
#define CG_LIMIT_BOOL(c, m, f)        CG_LIMIT_(c, m, f, CG_FORMAT_BOOL, struct opt_bool)
#define CG_LIMIT_TEXT(c, m, f, ...)   CG_LIMIT_(c, m, f, CG_FORMAT_TEXT, char *, __VA_ARGS__)
/* clang-format on */

struct cg_limit_tables {
	const struct cg_limit *limits;
	size_t n_limits;
	const struct cg_limit_group *groups;
	size_t n_groups;
	const char *lacks; /* why a row without a file is refused */
};
extern const struct cg_limit_tables cg_limits_v2;

/* The controllers that what is asked for needs, devices aside. */
uint32_t cg_limits_controllers(const struct cg_limits *l);

/*
 * Adds what is asked of ctl to set, for files below dirfd. A number out of
 * range, a member that this version lacks: refused.
 */
MUST_CHECK int cg_limits_add(const struct cg_limit_tables *t, enum cg_ctl ctl,
			     const struct cg_limits *l, int dirfd,
			     struct cg_set *set, struct err *e);

/* The same for l->unified, whose files carry their controller's name. held_v1:
 * those which are not to be found below dirfd. */
MUST_CHECK int cg_limits_add_unified(const struct cg_limits *l,
				     uint32_t held_v1, int dirfd,
				     struct cg_set *set, struct err *e);

/* io, in limits_io.c */
bool cg_io_weight_asked(const struct cg_limits *l);
int cg_io_add_weight(const struct cg_limits *l, int dirfd, struct cg_set *set,
		     struct err *e);
bool cg_io_devices_asked(const struct cg_limits *l);
int cg_io_add_devices(const struct cg_limits *l, int dirfd, struct cg_set *set,
		      struct err *e);

/* Shared by the tables of both versions. */
bool cg_cpu_weight_asked(const struct cg_limits *l);
bool cg_cpu_idle_asked(const struct cg_limits *l);
/* Who leaves idle has the usual weight; file: where the other one stands. */
int cg_cpu_idle_keep(const char *file, int dirfd, struct cg_set *set,
		     struct err *e);
MUST_CHECK int cg_cpu_weight_check(const struct cg_limits *l, struct err *e);
bool cg_swap_asked(const struct cg_limits *l);
MUST_CHECK int cg_swap_check(const struct cg_limits *l, struct err *e);
bool cg_hugetlb_asked(const struct cg_limits *l);
/* suffix: of the files; none: their word for no limit. */
MUST_CHECK int cg_hugetlb_add(const struct cg_limits *l, const char *suffix,
			      const char *none, int dirfd, struct cg_set *set,
			      struct err *e);
bool cg_net_prio_asked(const struct cg_limits *l);
bool cg_rdma_asked(const struct cg_limits *l);
int cg_rdma_add(const struct cg_limits *l, int dirfd, struct cg_set *set,
		struct err *e);
bool cg_misc_asked(const struct cg_limits *l);
int cg_misc_add(const struct cg_limits *l, int dirfd, struct cg_set *set,
		struct err *e);
/* Swap areas are in use on this host. */
bool cg_host_swaps(void);
/* A word that may become part of a file's name or of a line. */
bool cg_plain_word(const char *s);

/* -1 -> "max" (or what none says); below that: refused. */
#define CG_NUMBER_MAX 24
MUST_CHECK int cg_number(const char *member, int64_t v, const char *none,
			 char ret[CG_NUMBER_MAX], struct err *e);
