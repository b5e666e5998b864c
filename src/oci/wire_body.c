/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/wire_body.h"

#include <errno.h>

static const struct json_field hello_fields[] = {
	JSON_U32(struct wire_hello, version, "version", .required = true),
	JSON_STR(struct wire_hello, release, "release"),
	JSON_STR(struct wire_hello, trouble, "trouble"),
};
const struct json_table wire_hello_table =
	JSON_TABLE(struct wire_hello, hello_fields);

static const struct json_field mount_fields[] = {
	JSON_STR(struct wire_mount, tag, "tag", .required = true),
	JSON_STR(struct wire_mount, target, "target", .required = true),
	JSON_BOOL(struct wire_mount, readonly, "readonly"),
};
static const struct json_table mount_table =
	JSON_TABLE(struct wire_mount, mount_fields);

static const struct json_field setup_fields[] = {
	JSON_I64(struct wire_setup, clock_secs, "clockSecs"),
	JSON_U32(struct wire_setup, clock_nanosecs, "clockNanosecs"),
	JSON_BYTES(struct wire_setup, entropy, "entropy"),
	JSON_STR(struct wire_setup, state, "state"),
	JSON_BOOL(struct wire_setup, debug, "debug"),
	JSON_VEC(struct wire_setup, mounts, "mounts", struct wire_mount,
		 mount_table),
	JSON_PTR(struct wire_setup, network, "network", struct net_config,
		 net_config_table),
	JSON_STR(struct wire_setup, hostname, "hostname"),
	JSON_STR(struct wire_setup, domainname, "domainname"),
};
const struct json_table wire_setup_table =
	JSON_TABLE(struct wire_setup, setup_fields);

static const struct json_field failed_fields[] = {
	JSON_I32(struct wire_failed, code, "code", .required = true),
	JSON_STR(struct wire_failed, text, "text", .required = true),
};
const struct json_table wire_failed_table =
	JSON_TABLE(struct wire_failed, failed_fields);

int wire_failed_take(const struct wire_frame *f, int *ret, struct err *why,
		     struct err *e)
{
	struct wire_failed failed = { 0 };
	int r = wire_parse(f, &wire_failed_table, &failed, e);

	if (r < 0)
		return r;
	/* Codes beyond errno's range would be successes somewhere. */
	r = failed.code < 0 && failed.code > -4096 ? failed.code : -EREMOTEIO;
	*ret = err_set(why, r, "%s", failed.text);
	json_free(&wire_failed_table, &failed);
	return 0;
}

static const struct json_field exited_fields[] = {
	JSON_I32(struct wire_exited, status, "status", .required = true,
		 .always = true),
	JSON_BOOL(struct wire_exited, oom, "oom"),
};
const struct json_table wire_exited_table =
	JSON_TABLE(struct wire_exited, exited_fields);

static const struct json_field signal_fields[] = {
	JSON_I32(struct wire_signal, signal, "signal", .required = true,
		 .always = true),
	JSON_BOOL(struct wire_signal, all, "all"),
};
const struct json_table wire_signal_table =
	JSON_TABLE(struct wire_signal, signal_fields);

static const struct json_field resize_fields[] = {
	JSON_U32(struct wire_resize, rows, "rows", .always = true),
	JSON_U32(struct wire_resize, cols, "cols", .always = true),
};
const struct json_table wire_resize_table =
	JSON_TABLE(struct wire_resize, resize_fields);

static const struct json_field clock_fields[] = {
	JSON_I64(struct wire_clock, secs, "secs", .required = true,
		 .always = true),
	JSON_U32(struct wire_clock, nanosecs, "nanosecs", .always = true),
};
const struct json_table wire_clock_table =
	JSON_TABLE(struct wire_clock, clock_fields);
