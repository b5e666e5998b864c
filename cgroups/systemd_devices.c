/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroups/devices.h"
#include "cgroups/v1_devices.h"

/*
 * Device rules in systemd's words: a policy and a list of what is allowed,
 * with no refusals in it. On v2 they become a program of systemd's beside
 * ours, and a device must please both; on v1 both write the same file, and a
 * reload puts there what systemd knows. So systemd is told of the rules as
 * exactly as it can understand, and rather of too much than of too little.
 *
 * "char-136" and "/dev/char/1:3" name numbers, whether a driver or a node is
 * there or not (systemd 240).
 */

/* Without the refusals that a list of v1 cannot express. */
static int make_wider(const struct cg_device_rules *rules,
		      struct cg_v1_list *ret, struct err *e)
{
	autofree struct cg_device_rule *v = calloc(rules->n, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_nomem(e);
	for (size_t i = 0; i < rules->n; i++) {
		const struct cg_device_rule *rule = &rules->v[i];

		if (rule->allow || cg_device_rule_all(rule))
			v[n++] = *rule;
	}
	return cg_v1_list_make(v, n, ret, e);
}

static void put_node(struct cg_dbus_out *m, const struct cg_device_rule *rule)
{
	const char *type = rule->type == CG_DEVICE_BLOCK ? "block" : "char";
	char text[48], access[4];
	size_t n = 0;

	if (rule->major.set && rule->minor.set)
		(void)snprintf(text, sizeof(text),
			       "/dev/%s/%" PRIu32 ":%" PRIu32, type,
			       rule->major.v, rule->minor.v);
	else if (rule->major.set)
		(void)snprintf(text, sizeof(text), "%s-%" PRIu32, type,
			       rule->major.v);
	else
		(void)snprintf(text, sizeof(text), "%s-*", type);
	if (rule->access & CG_DEVICE_READ)
		access[n++] = 'r';
	if (rule->access & CG_DEVICE_WRITE)
		access[n++] = 'w';
	if (rule->access & CG_DEVICE_MKNOD)
		access[n++] = 'm';
	access[n] = '\0';
	if (n == 0) /* systemd would read it as all */
		return;
	cg_dbus_align(m, 8);
	cg_dbus_str(m, text);
	cg_dbus_str(m, access);
}

static struct cg_dbus_array open_list(struct cg_dbus_out *m)
{
	cg_dbus_align(m, 8);
	cg_dbus_str(m, "DeviceAllow");
	cg_dbus_sig(m, "a(ss)");
	return cg_dbus_open(m, 8);
}

int cg_systemd_put_devices(struct cg_dbus_out *m,
			   const struct cg_device_rules *rules, struct err *e)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	struct cg_dbus_array a;
	int r;

	if (rules->n == 0)
		return 0;
	r = cg_v1_list_make(rules->v, rules->n, &l, NULL);
	if (r == -EOPNOTSUPP)
		r = make_wider(rules, &l, e);
	if (r < 0)
		return err_set(e, r, "devices: the rules are not understood");
	cg_systemd_put_str(m, "DevicePolicy", l.allow ? "auto" : "strict");
	/* An empty list takes back what was told before; others add to it. */
	a = open_list(m);
	cg_dbus_close(m, a);
	if (l.allow || l.n == 0)
		return 0;
	a = open_list(m);
	for (size_t i = 0; i < l.n; i++)
		put_node(m, &l.v[i]);
	cg_dbus_close(m, a);
	return 0;
}
