/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AppArmor and SELinux labels that take effect at the next execve. Written to
 * the real procfs only (proc_open_fs()); a label that was asked for where the
 * module is not enabled is an error.
 */
#include "base/err.h"

bool ns_apparmor_enabled(void);
bool ns_selinux_enabled(void);
MUST_CHECK int ns_apparmor_set(int procfd, const char *profile, struct err *e);
MUST_CHECK int ns_selinux_set(int procfd, const char *label, struct err *e);
/* The label of new keyrings, for the session keyring. */
MUST_CHECK int ns_selinux_set_key(int procfd, const char *label, struct err *e);
