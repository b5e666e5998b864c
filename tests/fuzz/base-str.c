/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that people and images give us: numbers, sizes, ranges, base64,
 * signals, paths. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static int in_range(void *arg, uint64_t first, uint64_t last)
{
	insist(first <= last && last <= 1000);
	return 0;
}

static void try_numbers(const char *s)
{
	autofree char *back = NULL;
	int64_t i;
	uint64_t u;
	int sig;

	(void)!str_to_u64(s, &u);
	(void)!str_to_nano(s, &u);
	(void)!str_to_bytes(s, &u);
	(void)!str_to_u64_base(s, 16, &u);
	(void)!str_each_range(s, 1000, in_range, NULL);
	if (proc_signal_parse(s, &sig) == 0)
		insist(sig > 0 && sig < 65);
	if (str_to_i64(s, &i) == 0) {
		back = str_printf("%jd", (intmax_t)i);
		insist(back && strtoll(s, NULL, 10) == i);
	}
}

static void try_base64(const char *s, size_t size)
{
	autofree char *coded = str_base64(s, size), *again = NULL;
	autofree void *back = NULL, *other = NULL;
	size_t len = 0;

	insist(coded && str_from_base64(coded, &back, &len) == 0);
	insist(len == size && memcmp(back, s, size) == 0);
	if (str_from_base64(s, &other, &len) == 0) {
		again = str_base64(other, len);
		insist(again && strcmp(again, s) == 0);
	}
}

static void try_path(const char *s)
{
	autofree char *clean = path_clean(s), *again = NULL;

	insist(clean && *clean && (*clean == '/') == (*s == '/'));
	insist(!strstr(clean, "//") && strlen(clean) <= strlen(s) + 1);
	again = path_clean(clean);
	insist(again && strcmp(again, clean) == 0);
}

static void try_lists(const char *s)
{
	autostrv char **v = NULL;
	size_t len = 0;

	insist(strv_split(s, ':', &v) == 0);
	STRV_FOREACH(p, v)
		len += strlen(*p) + 1;
	insist(len == (*s ? strlen(s) + 1 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *s = strndup((const char *)data, size);

	insist(s);
	try_numbers(s);
	try_base64(s, strlen(s));
	try_path(s);
	try_lists(s);
	return 0;
}
