/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

bool ns_apparmor_enabled(void)
{
	char text[8];

	return fd_read_small_at(AT_FDCWD,
				"/sys/module/apparmor/parameters/enabled", text,
				sizeof(text)) > 0 &&
	       text[0] == 'Y';
}

bool ns_selinux_enabled(void)
{
	struct statfs st;

	return statfs("/sys/fs/selinux", &st) == 0 &&
	       st.f_type == SELINUX_MAGIC;
}

/*
 * Whether the module is there is the kernel's to say, by the file and by what
 * writing to it gives: /sys may be the container's by now.
 */
static int write_attr(int procfd, const char *file, const char *text,
		      const char *module, struct err *e)
{
	int r = proc_write_file(procfd, file, text, e);

	if (r == -EINVAL || r == -EOPNOTSUPP)
		return err_set(e, r, "%s is not enabled, or refuses the label",
			       module);
	return r;
}

int ns_apparmor_set(int procfd, const char *profile, struct err *e)
{
	autofree char *text = str_printf("exec %s", profile);
	int r;

	if (!text)
		return err_nomem(e);
	/* Linux 5.8 gave each module a folder; before, one had them all. */
	r = write_attr(procfd, "self/attr/apparmor/exec", text, "AppArmor", e);
	if (r == -ENOENT)
		r = write_attr(procfd, "self/attr/exec", text, "AppArmor", e);
	/* Which everybody is where there is no AppArmor. */
	if ((r == -EINVAL || r == -EOPNOTSUPP || r == -ENOENT) &&
	    str_eq(profile, "unconfined"))
		return 0;
	if (r == -ENOENT)
		return err_set(e, r, "the AppArmor profile '%s' is not loaded",
			       profile);
	return r < 0 ? err_wrap(e, r, "AppArmor profile '%s'", profile) : 0;
}

int ns_selinux_set(int procfd, const char *label, struct err *e)
{
	int r = write_attr(procfd, "self/attr/exec", label, "SELinux", e);

	return r < 0 ? err_wrap(e, r, "SELinux label '%s'", label) : 0;
}

int ns_selinux_set_key(int procfd, const char *label, struct err *e)
{
	int r = write_attr(procfd, "self/attr/keycreate", label, "SELinux", e);

	return r < 0 ? err_wrap(e, r, "SELinux label '%s' of keyrings", label)
		     : 0;
}
