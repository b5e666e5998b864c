/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/cmd_opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

struct parse {
	const struct cmd *cmd;
	char **argv;
	int argc, next;
	char *opts;
	char **args;
	int n_args;
};

/* --- one value ------------------------------------------------------------*/

static int set_flag(void *at, const char *value)
{
	bool *flag = at;

	if (!value || str_eq(value, "true") || str_eq(value, "1"))
		*flag = true;
	else if (str_eq(value, "false") || str_eq(value, "0"))
		*flag = false;
	else
		return -EINVAL;
	return 0;
}

static int set_bytes(struct opt_i64 *n, const char *value)
{
	uint64_t bytes;
	int r;

	n->set = true;
	n->v = -1;
	if (str_eq(value, "-1"))
		return 0;
	r = str_to_bytes(value, &bytes);
	if (r >= 0 && bytes > INT64_MAX)
		return -ERANGE;
	n->v = (int64_t)bytes;
	return r;
}

static int set_choice(const struct cmd_opt *o, int *at, const char *value)
{
	for (int i = 0; o->choices[i]; i++) {
		if (!str_eq(o->choices[i], value))
			continue;
		*at = i;
		return 0;
	}
	return -EINVAL;
}

static int set_number(const struct cmd_opt *o, void *at, const char *value)
{
	struct opt_u64 *u = at;
	struct opt_i64 *i = at;

	switch (o->type) {
	case OPT_T_U32:
		return str_to_u32(value, at);
	case OPT_T_OPT_U64:
		u->set = true;
		return str_to_u64(value, &u->v);
	case OPT_T_OPT_NANO:
		u->set = true;
		return str_to_nano(value, &u->v);
	case OPT_T_OPT_I64:
		i->set = true;
		return str_to_i64(value, &i->v);
	case OPT_T_OPT_BYTES:
		return set_bytes(at, value);
	case OPT_T_FLAG:
	case OPT_T_STR:
	case OPT_T_STRV:
	case OPT_T_CHOICE:
		break;
	}
	return -EINVAL;
}

static int set_value(const struct cmd_opt *o, void *at, const char *value)
{
	switch (o->type) {
	case OPT_T_FLAG:
		return set_flag(at, value);
	case OPT_T_STR:
		*(const char **)at = value;
		return 0;
	case OPT_T_STRV:
		return strv_add(at, value);
	case OPT_T_CHOICE:
		return set_choice(o, at, value);
	case OPT_T_U32:
	case OPT_T_OPT_U64:
	case OPT_T_OPT_NANO:
	case OPT_T_OPT_I64:
	case OPT_T_OPT_BYTES:
		return set_number(o, at, value);
	}
	return -EINVAL;
}

static const char *wants(const struct cmd_opt *o)
{
	switch (o->type) {
	case OPT_T_FLAG:
		return "true or false";
	case OPT_T_OPT_BYTES:
		return "a size such as 512m, or -1";
	case OPT_T_OPT_NANO:
		return "a number such as 1.5";
	case OPT_T_U32:
	case OPT_T_OPT_U64:
	case OPT_T_OPT_I64:
		return "a number in range";
	case OPT_T_CHOICE:
	case OPT_T_STR:
	case OPT_T_STRV:
		break;
	}
	return o->arg;
}

static int refuse(const struct cmd_opt *o, const char *value, int r,
		  struct err *e)
{
	autofree char *choices = NULL;

	if (r == -ENOMEM)
		return err_nomem(e);
	for (int i = 0; o->choices && o->choices[i]; i++) {
		char *more = str_printf("%s%s%s", choices ? choices : "",
					i ? ", " : "", o->choices[i]);

		free(choices);
		choices = more;
	}
	return err_set(e, -EINVAL, "--%s: '%s' is not %s%s", o->name, value,
		       choices ? "one of " : "", choices ? choices : wants(o));
}

static int take(struct parse *p, const struct cmd_opt *o, const char *value,
		struct err *e)
{
	int r;

	if (!value && o->type != OPT_T_FLAG) {
		if (p->next == p->argc)
			return err_set(e, -EINVAL, "--%s needs %s", o->name,
				       o->arg);
		value = p->argv[p->next++];
	}
	r = set_value(o, p->opts + o->offset, value);
	return r < 0 ? refuse(o, value, r, e) : 0;
}

/* --- the words ------------------------------------------------------------*/

static int unknown_long(const struct parse *p, const char *name, size_t len,
			struct err *e)
{
	autofree char *typed = strndup(name, len);
	const char *names[128];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < p->cmd->n_options && n < ARRAY_SIZE(names); i++)
		if (p->cmd->options[i].help)
			names[n++] = p->cmd->options[i].name;
	near = typed ? cmd_nearest(typed, names, n) : NULL;
	if (near)
		return err_set(e, -EINVAL,
			       "unknown option '--%s'; did you mean '--%s'?",
			       typed, near);
	return err_set(e, -EINVAL, "unknown option '--%.*s'; --help lists all",
		       (int)len, name);
}

static int take_long(struct parse *p, const char *word, struct err *e)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	for (size_t i = 0; i < p->cmd->n_options; i++) {
		const struct cmd_opt *o = &p->cmd->options[i];

		if (strlen(o->name) == len && strncmp(o->name, word, len) == 0)
			return take(p, o, equals ? equals + 1 : NULL, e);
	}
	return unknown_long(p, word, len, e);
}

static const struct cmd_opt *find_letter(const struct cmd *c, char letter)
{
	for (size_t i = 0; i < c->n_options; i++)
		if (c->options[i].letter == letter)
			return &c->options[i];
	return NULL;
}

/* "-it", "-eNAME=v", "-e NAME=v" */
static int take_short(struct parse *p, const char *word, struct err *e)
{
	for (; *word; word++) {
		const struct cmd_opt *o = find_letter(p->cmd, *word);
		int r;

		if (!o)
			return err_set(e, -EINVAL,
				       "unknown option '-%c'; --help lists all",
				       *word);
		if (o->type != OPT_T_FLAG)
			return take(p, o, word[1] ? word + 1 : NULL, e);
		r = take(p, o, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static bool options_may_follow(const struct parse *p)
{
	return p->cmd->stop_after == 0 || p->n_args < p->cmd->stop_after;
}

/* 1: help was asked for. */
static int take_option(struct parse *p, const char *word, struct err *e)
{
	if (str_eq(word, "--help") ||
	    (str_eq(word, "-h") && !find_letter(p->cmd, 'h')))
		return 1;
	return word[1] == '-' ? take_long(p, word + 2, e)
			      : take_short(p, word + 1, e);
}

static int parse_words(struct parse *p, struct err *e)
{
	bool options = true;
	int r;

	while (p->next < p->argc) {
		char *word = p->argv[p->next++];
		bool ends = options &&
			    (!options_may_follow(p) || str_eq(word, "--"));

		/* "run IMAGE -- COMMAND" says it once more. */
		if (ends && str_eq(word, "--")) {
			options = false;
			continue;
		}
		options = options && !ends;
		if (!options || !is_option(word)) {
			p->args[p->n_args++] = word;
			continue;
		}
		r = take_option(p, word, e);
		if (r != 0)
			return r;
	}
	return 0;
}

static int check_count(const struct parse *p, struct err *e)
{
	const struct cmd *c = p->cmd;

	if (p->n_args < c->min_args)
		return err_set(e, -EINVAL, "missing argument; usage: %s %s",
			       c->name, c->args);
	if (c->max_args >= 0 && p->n_args > c->max_args)
		return err_set(
			e, -EINVAL, "unexpected argument '%s'; usage: %s %s",
			p->args[c->max_args], c->name, c->args ? c->args : "");
	return 0;
}

void cmd_opts_free(const struct cmd *c, void *opts)
{
	for (size_t i = 0; opts && i < c->n_options; i++) {
		void *at = (char *)opts + c->options[i].offset;

		if (c->options[i].type == OPT_T_STRV)
			strv_free(*(char ***)at);
	}
	free(opts);
}

int cmd_parse(const struct cmd *c, char **argv, int argc, void **ret_opts,
	      char ***ret_args, int *ret_n_args, struct err *e)
{
	struct parse p = { .cmd = c, .argv = argv, .argc = argc };
	int r;

	p.opts = calloc(1, c->opts_size + 1);
	p.args = calloc((size_t)argc + 1, sizeof(*p.args));
	if (!p.opts || !p.args) {
		free(p.opts);
		free(p.args);
		return err_nomem(e);
	}
	if (c->defaults)
		memcpy(p.opts, c->defaults, c->opts_size);
	r = parse_words(&p, e);
	if (r == 0)
		r = check_count(&p, e);
	if (r != 0) {
		cmd_opts_free(c, p.opts);
		free(p.args);
		return r;
	}
	*ret_opts = p.opts;
	*ret_args = p.args;
	*ret_n_args = p.n_args;
	return 0;
}
