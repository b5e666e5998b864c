/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON. What is read must come back the same when it is written
 * and read again, and both readers - by tables, as it is - must agree.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_out.h"
#include "tests/unit/json_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static void there_and_back(struct all *a)
{
	autofree char *once = NULL, *twice = NULL;
	struct all again = { 0 };
	size_t len = 0;

	insist(json_write(&all_table, a, true, &once, &len, NULL) == 0);
	insist(json_read(once, len, &all_table, &again, "", NULL) == 0);
	insist(json_write(&all_table, &again, true, &twice, NULL, NULL) == 0);
	insist(strcmp(once, twice) == 0);
	all_done(&again);
}

static void reformat(const char *text, size_t size, bool expected)
{
	autofree char *once = NULL, *twice = NULL;

	if (json_reformat(text, size, false, &once, NULL) < 0) {
		insist(!expected);
		return;
	}
	insist(json_reformat(once, strlen(once), false, &twice, NULL) == 0);
	insist(strcmp(once, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct err e = { 0 };
	struct all a = { 0 };
	int r;

	r = json_read(text, size, &all_table, &a, "fuzz", &e);
	insist(r == 0 || (e.code == r && strncmp(e.text, "fuzz: ", 6) == 0));
	if (r == 0)
		there_and_back(&a);
	all_done(&a);
	reformat(text, size, r == 0);
	return 0;
}
