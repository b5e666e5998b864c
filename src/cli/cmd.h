/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Commands and their options, as tables: the parser, --help, the completion
 * and the check of the manual pages read the same lines.
 *
 *	struct kill_opts { bool all; };
 *	static const struct cmd_opt kill_options[] = {
 *		OPT_FLAG('a', "all", struct kill_opts, all,
 *			 "signal every process, not only init"),
 *	};
 *	static int kill_run(const struct cmd_call *call, struct err *e);
 *	const struct cmd cmd_kill = {
 *		.name = "kill", .args = "ID [SIGNAL]",
 *		.min_args = 1, .max_args = 2,
 *		.help = "send a signal to a container",
 *		CMD_OPTS(struct kill_opts, kill_options),
 *		.run = kill_run,
 *	};
 *
 * Options stand before and after the positional arguments, until "--" or,
 * where a command line of somebody else follows, until .stop_after of them.
 * Known spellings: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -abc,
 * --flag=false.
 */
#include "base/json.h"

enum cmd_opt_type {
	OPT_T_FLAG, /* bool */
	OPT_T_STR,  /* const char *, into argv */
	OPT_T_STRV, /* char **, repeatable, copies */
	OPT_T_U32,
	OPT_T_OPT_U64,	 /* struct opt_u64 */
	OPT_T_OPT_I64,	 /* struct opt_i64; -1 is a value */
	OPT_T_OPT_BYTES, /* struct opt_i64: "512m", or -1 */
	OPT_T_OPT_NANO,	 /* struct opt_u64: "1.5" in billionths */
	OPT_T_CHOICE,	 /* int, by .choices */
};

struct cmd_opt {
	char letter; /* 0: none */
	const char *name;
	const char *arg; /* what the help calls the value; NULL: a flag */
	enum cmd_opt_type type;
	size_t offset;
	const char *help; /* NULL: works, but is not advertised */
	const char *const
		*choices; /* in the order of the values, NULL at end */
};

struct cmd;

struct cmd_call {
	const struct cmd *cmd;
	const void *globals; /* the program's own options */
	const void *opts;
	char *const *args; /* positional, NULL-terminated */
	int n_args;
};

struct cmd {
	const char *name;
	const char *args; /* "ID [SIGNAL]" */
	int min_args;
	int max_args;	/* -1: any number */
	int stop_after; /* this many positional arguments end the options; 0:
			   options may stand anywhere */
	const char *help;
	const struct cmd_opt *options;
	size_t n_options;
	size_t opts_size;
	const void *defaults;
	bool hidden;
	int failed; /* exit status of an error; 0: the program's */
	/* The exit status (>= 0), or a negative errno with its sentence. */
	int (*run)(const struct cmd_call *call, struct err *e);
};

struct cmd_program {
	const char *name;
	const char *help;	   /* what it is, in a line */
	const struct cmd *globals; /* its options stand before the command */
	const struct cmd *const *commands;
	size_t n_commands;
	/* After the globals are parsed: log, paths. */
	int (*prepare)(const void *globals, struct err *e);
	int failed; /* exit status of an error, unless the command says */
};

/* Exit status of a wrong command line. */
#define CMD_USAGE 2

/* The whole of main(): parses, runs, prints errors. */
int cmd_main(const struct cmd_program *p, int argc, char **argv);

/* clang-format off */
#define CMD_OPTS(S, table, ...)                                                \
	.options = (table), .n_options = ARRAY_SIZE(table),                    \
	.opts_size = sizeof(S), ##__VA_ARGS__

#define OPT_FIELD_(S, m, T, l, n, a, t, h, ...)                                \
	{ .letter = (l), .name = (n), .arg = (a), .type = (t), .help = (h),    \
	  .offset = offsetof(S, m) + JSON_CHECK_(S, m, T), __VA_ARGS__ }
#define OPT_FLAG(l, n, S, m, h)     OPT_FIELD_(S, m, bool, l, n, NULL, OPT_T_FLAG, h, )
#define OPT_STR(l, n, a, S, m, h)   OPT_FIELD_(S, m, const char *, l, n, a, OPT_T_STR, h, )
#define OPT_STRV(l, n, a, S, m, h)  OPT_FIELD_(S, m, char **, l, n, a, OPT_T_STRV, h, )
#define OPT_U32(l, n, a, S, m, h)   OPT_FIELD_(S, m, uint32_t, l, n, a, OPT_T_U32, h, )
#define OPT_U64(l, n, a, S, m, h)   OPT_FIELD_(S, m, struct opt_u64, l, n, a, OPT_T_OPT_U64, h, )
#define OPT_I64(l, n, a, S, m, h)   OPT_FIELD_(S, m, struct opt_i64, l, n, a, OPT_T_OPT_I64, h, )
#define OPT_BYTES(l, n, a, S, m, h) OPT_FIELD_(S, m, struct opt_i64, l, n, a, OPT_T_OPT_BYTES, h, )
#define OPT_NANO(l, n, a, S, m, h)  OPT_FIELD_(S, m, struct opt_u64, l, n, a, OPT_T_OPT_NANO, h, )
#define OPT_CHOICE(l, n, a, S, m, list, h) \
	OPT_FIELD_(S, m, int, l, n, a, OPT_T_CHOICE, h, .choices = (list))
/* clang-format on */
