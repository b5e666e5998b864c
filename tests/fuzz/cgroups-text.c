/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from elsewhere: cgroupsPath, mount tables, kernel lists, limits. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/cg.h"
#include "cgroups/check.h"
#include "cgroups/host.h"
#include "cgroups/limits.h"
#include "cgroups/v1.h"
#include "cgroups/v1_devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_limits(const char *text, size_t size)
{
	const struct cg_limit_tables *t[] = { &cg_limits_v2, &cg_limits_v1 };
	struct cg_limits l = { 0 };

	if (json_read(text, size, &cg_limits_table, &l, "x", NULL) < 0)
		return;
	for (size_t i = 0; i < 2U * CG_CTL_N_; i++) {
		_cleanup_(cg_set_done) struct cg_set set = { 0 };

		(void)!cg_limits_add(t[i % 2], (enum cg_ctl)(i / 2), &l, -1,
				     &set, NULL);
		(void)!cg_limits_add_unified(&l, 0, -1, &set, NULL);
	}
	cg_limits_done(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cg_host_done) struct cg_host host = { 0 };
	_cleanup_(cg_v1_list_done) struct cg_v1_list list = { 0 };
	autofree char *text = strndup((const char *)data, size);
	autofree char *own = NULL;

	if (!text)
		return 0;
	for (int driver = 0; driver < CG_DRIVER_N_; driver++)
		(void)!cg_path_check(driver, text, NULL);
	(void)!cg_host_parse(text, false, &host, NULL);
	(void)!cg_host_v2_path(text, &own, NULL);
	(void)!cg_v1_list_parse(text, &list, NULL);
	(void)cg_list_missing(text, "0-3,7");
	(void)cg_list_missing("1-5", text);
	try_limits(text, strlen(text));
	return 0;
}
