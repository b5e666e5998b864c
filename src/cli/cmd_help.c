/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/cmd_opts.h"

#include <string.h>

#define NEAR_MAX 32 /* longer words are nobody's slip */

static size_t distance(const char *a, const char *b)
{
	size_t row[NEAR_MAX + 1], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t change = corner + (a[i] != b[j]);
			size_t edit = MIN_OF(row[j], row[j + 1]) + 1;

			corner = row[j + 1];
			row[j + 1] = MIN_OF(change, edit);
		}
	}
	return row[n];
}

const char *cmd_nearest(const char *typed, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t least = 3; /* more slips than two are another word */

	if (strlen(typed) > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = strlen(names[i]) <= NEAR_MAX
				   ? distance(typed, names[i])
				   : least;

		if (d < least && d < strlen(names[i])) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

static void print_option(FILE *f, const struct cmd_opt *o)
{
	char left[64];
	int n;

	if (!o->help)
		return;
	n = snprintf(left, sizeof(left), "%c%c%s--%s%s%s",
		     o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		     o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
		     o->arg ? o->arg : "");
	(void)fprintf(f, "  %-28s%s%s\n", left,
		      n > 27 ? "\n"
			       "                              "
			     : "",
		      o->help);
}

static void print_options(FILE *f, const struct cmd *c, const char *title)
{
	if (c->n_options == 0)
		return;
	(void)fprintf(f, "\n%s:\n", title);
	for (size_t i = 0; i < c->n_options; i++)
		print_option(f, &c->options[i]);
}

void cmd_help(FILE *f, const struct cmd_program *p, const struct cmd *c)
{
	(void)fprintf(f, "usage: %s %s%s%s%s\n\n%s\n", p->name, c->name,
		      c->n_options ? " [OPTION...]" : "", c->args ? " " : "",
		      c->args ? c->args : "", c->help);
	print_options(f, c, "options");
}

void cmd_help_program(FILE *f, const struct cmd_program *p)
{
	(void)fprintf(
		f,
		"usage: %s [OPTION...] COMMAND [ARGUMENT...]\n\n%s\n\ncommands:\n",
		p->name, p->help);
	for (size_t i = 0; i < p->n_commands; i++)
		if (!p->commands[i]->hidden)
			(void)fprintf(f, "  %-14s%s\n", p->commands[i]->name,
				      p->commands[i]->help);
	print_options(f, p->globals, "options");
	(void)fprintf(f, "\n'%s COMMAND --help' tells more about a command.\n",
		      p->name);
}
