/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options that `checkpoint` and `restore` share. */
#include "src/cli/oci/oci.h"

/* clang-format off */
#define CRIU_OPTIONS(S)                                                        \
	OPT_STR(0, "image-path", "DIR", S, criu.image_path,                    \
		"where the image is, instead of ./checkpoint"),                \
	OPT_STR(0, "work-path", "DIR", S, criu.work_path,                      \
		"where criu writes its log, instead of the image path"),       \
	OPT_FLAG(0, "tcp-established", S, criu.tcp_established,                \
		 "also TCP connections that are open"),                        \
	OPT_FLAG(0, "tcp-close", S, criu.tcp_close,                            \
		 "TCP connections are closed afterwards"),                     \
	OPT_FLAG(0, "ext-unix-sk", S, criu.ext_unix_sk,                        \
		 "also UNIX sockets with a peer outside"),                     \
	OPT_FLAG(0, "shell-job", S, criu.shell_job,                            \
		 "also sessions whose leader is outside"),                     \
	OPT_FLAG(0, "file-locks", S, criu.file_locks, "also file locks"),      \
	OPT_FLAG(0, "lazy-pages", S, criu.lazy_pages,                          \
		 "memory follows when it is used, by userfaultfd"),            \
	OPT_FLAG(0, "auto-dedup", S, criu.auto_dedup,                          \
		 "an image keeps no memory that a later one has"),             \
	OPT_CHOICE(0, "manage-cgroups-mode", "MODE", S, criu.cgroups_mode,     \
		   rt_criu_cgroup_modes, "soft, full, strict or ignore"),      \
	OPT_CHOICE(0, "network-lock", "METHOD", S, criu.network_lock,          \
		   rt_criu_network_locks, "iptables, nftables or skip"),       \
	OPT_STRV(0, "empty-ns", "NAMESPACE", S, empty_ns,                      \
		 "network: somebody else fills it")
/* clang-format on */
