/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options that `create` and `run` share. */
#include "src/cli/oci/oci.h"

/* clang-format off */
#define OCI_CREATE_OPTIONS                                                     \
	OPT_STR('b', "bundle", "DIR", struct oci_create_opts, bundle,          \
		"the bundle, instead of the current folder"),                  \
	OPT_STR('f', "config", "FILE", struct oci_create_opts, config,         \
		"the configuration, instead of config.json in the bundle"),    \
	OPT_STR(0, "console-socket", "PATH", struct oci_create_opts,           \
		console_socket, "send the terminal's master to this socket"),  \
	OPT_STR(0, "pidfd-socket", "PATH", struct oci_create_opts,             \
		pidfd_socket, "send a pidfd of the program to this socket"),   \
	OPT_STR(0, "pid-file", "FILE", struct oci_create_opts, pid_file,       \
		"write the program's pid there"),                              \
	OPT_U32(0, "preserve-fds", "N", struct oci_create_opts, preserve_fds,  \
		"pass on N more descriptors, from 3 on"),                      \
	OPT_FLAG(0, "no-pivot", struct oci_create_opts, no_pivot,              \
		 "move the root mount instead of pivot_root, for ramdisks"),   \
	OPT_FLAG(0, "no-new-keyring", struct oci_create_opts, no_new_keyring,  \
		 "keep the caller's session keyring")
/* clang-format on */

MUST_CHECK int oci_create_args(const struct cmd_call *call,
			       struct rt_create *ret, struct err *e);
