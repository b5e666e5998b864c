/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "cgroups/host.h"
#include "cgroups/procs.h"

/* For a look after something else failed: who did not answer then will not now.
 */
#define FIND_TIMEOUT_MS 5000

/* --- jobs -----------------------------------------------------------------*/

/* systemd answers a request with a job, and says later by a signal how it
 * ended. The signal may come before the answer. */
struct job {
	const char *unit;
	char result[32]; /* "": not yet */
	char path[128];	 /* "": not known yet */
};

static void on_message(void *arg, struct cg_dbus_in *m)
{
	struct job *job = arg;
	const char *path, *unit, *result;
	uint32_t id;

	if (m->type != CG_DBUS_SIGNAL || !str_eq(m->member, "JobRemoved"))
		return;
	if (cg_dbus_read_u32(m, &id) < 0 || cg_dbus_read_str(m, &path) < 0 ||
	    cg_dbus_read_str(m, &unit) < 0 || cg_dbus_read_str(m, &result) < 0)
		return;
	if (!str_eq(unit, job->unit) ||
	    (job->path[0] && !str_eq(path, job->path)))
		return;
	(void)snprintf(job->path, sizeof(job->path), "%s", path);
	(void)snprintf(job->result, sizeof(job->result), "%s", result);
}

static int wait_job(struct cg_dbus_link *l, struct job *job, struct err *e)
{
	while (!job->result[0]) {
		_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };
		int r = cg_dbus_receive(l, &in, e);

		if (r == -ETIMEDOUT)
			return err_set(
				e, r,
				"systemd did not finish with unit '%s' in time",
				job->unit);
		if (r < 0)
			return r;
		on_message(job, &in);
	}
	if (!str_eq(job->result, "done") && !str_eq(job->result, "skipped"))
		return err_set(e, -EREMOTEIO,
			       "systemd's job for unit '%s' ended with '%s'",
			       job->unit, job->result);
	return 0;
}

/* Sends the request, takes the job's name from the answer, waits for it. */
static int run_job(struct cg_dbus_link *l, struct cg_dbus_out *m,
		   const char *unit, struct err *e)
{
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };
	struct job job = { .unit = unit };
	const char *path;
	int r;

	r = cg_dbus_talk(l, m, &answer, on_message, &job, e);
	if (r < 0)
		return r;
	if (cg_dbus_read_str(&answer, &path) < 0 ||
	    strlen(path) >= sizeof(job.path))
		return err_set(e, -EPROTO, "systemd's answer is malformed");
	if (!str_eq(path, job.path)) {
		job.result[0] = '\0';
		(void)snprintf(job.path, sizeof(job.path), "%s", path);
	}
	return wait_job(l, &job, e);
}

/* A call whose answer holds nothing of interest. */
static int call(struct cg_dbus_link *l, struct cg_dbus_out *m, struct err *e)
{
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };

	return cg_dbus_talk(l, m, &answer, NULL, NULL, e);
}

static int call_with_unit(struct cg_dbus_link *l, const char *method,
			  const char *unit, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };

	cg_systemd_call(l, &m, method, "s");
	cg_dbus_str(&m, unit);
	return call(l, &m, e);
}

/* A bus passes on only the signals that one asks for, and the manager sends
 * them only when somebody subscribed. */
static int subscribe(struct cg_dbus_link *l, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out match = { 0 }, m = { 0 };
	int r;

	if (!l->is_bus)
		return 0;
	cg_dbus_call(&match, "org.freedesktop.DBus", "/org/freedesktop/DBus",
		     "org.freedesktop.DBus", "AddMatch", "s");
	cg_dbus_str(
		&match,
		"type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'");
	r = call(l, &match, e);
	if (r < 0)
		return r;
	cg_systemd_call(l, &m, "Subscribe", "");
	return call(l, &m, e);
}

/* --- starting -------------------------------------------------------------*/

static void put_scope(struct cg_dbus_out *m, const struct cg_config *config,
		      const struct cg_place *place, const struct cg_unit *unit)
{
	struct cg_dbus_array a;

	if (place->slice)
		cg_systemd_put_str(m, "Slice", place->slice);
	else
		cg_systemd_put_str(m, "Slice",
				   unit->user ? "user.slice" : "system.slice");
	/* What is below the scope is nobody's but the container's. */
	cg_systemd_put_bool(m, "Delegate", true);
	cg_dbus_align(m, 8);
	cg_dbus_str(m, "PIDs");
	cg_dbus_sig(m, "au");
	a = cg_dbus_open(m, 4);
	cg_dbus_u32(m, (uint32_t)unit->holder);
	cg_dbus_close(m, a);
}

static void put_accounting(struct cg_dbus_out *m)
{
	static const char *const names[] = {
		"CPUAccounting",
		"MemoryAccounting",
		"IOAccounting",
		"TasksAccounting",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cg_systemd_put_bool(m, names[i], true);
}

/* "252.39-1~deb12u2", "v257" */
static int ask_version(struct cg_dbus_link *l, unsigned int *ret, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };
	const char *text;
	int r;

	cg_dbus_call(&m, l->is_bus ? "org.freedesktop.systemd1" : NULL,
		     "/org/freedesktop/systemd1",
		     "org.freedesktop.DBus.Properties", "Get", "ss");
	cg_dbus_str(&m, "org.freedesktop.systemd1.Manager");
	cg_dbus_str(&m, "Version");
	r = cg_dbus_talk(l, &m, &answer, NULL, NULL, e);
	if (r < 0)
		return r;
	if (cg_dbus_read_var_str(&answer, &text) < 0)
		return err_set(e, -EPROTO, "systemd's answer is malformed");
	text += strcspn(text, "0123456789");
	*ret = (unsigned int)strtoul(text, NULL, 10);
	return 0;
}

static int put_limits(struct cg_dbus_link *l, struct cg_dbus_out *m,
		      const struct cg_limits *limits, bool new_scope,
		      struct err *e)
{
	unsigned int version = 0;
	int r = cg_systemd_ages(limits) ? ask_version(l, &version, e) : 0;

	return r < 0 ? r : cg_systemd_limits(m, limits, new_scope, version, e);
}

static int put_properties(struct cg_dbus_link *l, struct cg_dbus_out *m,
			  const struct cg_config *config,
			  const struct cg_place *place,
			  const struct cg_limits *limits,
			  const struct cg_unit *unit, struct err *e)
{
	autofree char *text =
		str_printf("moat environment %s",
			   config->name ? config->name : unit->name);
	int r;

	if (!text)
		return err_nomem(e);
	cg_systemd_put_str(m, "Description", text);
	cg_systemd_put_bool(m, "DefaultDependencies", false);
	cg_systemd_put_str(m, "CollectMode", "inactive-or-failed");
	if (!place->unit_is_slice)
		put_scope(m, config, place, unit);
	if (config->account)
		put_accounting(m);
	r = put_limits(l, m, limits, !place->unit_is_slice, e);
	for (size_t i = 0; i < config->properties.n && r == 0; i++)
		r = cg_systemd_property(m, config->properties.keys[i],
					config->properties.values[i], e);
	return r;
}

static int start_unit(struct cg_dbus_link *l, const struct cg_config *config,
		      const struct cg_place *place,
		      const struct cg_limits *limits,
		      const struct cg_unit *unit, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	struct cg_dbus_array a;
	int r;

	cg_systemd_call(l, &m, "StartTransientUnit", "ssa(sv)a(sa(sv))");
	cg_dbus_str(&m, unit->name);
	cg_dbus_str(&m, "replace");
	a = cg_dbus_open(&m, 8);
	r = put_properties(l, &m, config, place, limits, unit, e);
	if (r < 0)
		return r;
	cg_dbus_close(&m, a);
	cg_dbus_close(&m, cg_dbus_open(&m, 8)); /* no further units */
	return run_job(l, &m, unit->name, e);
}

/* Where systemd put the holder. On hybrid hosts its own hierarchy tells. */
static int group_of(pid_t pid, char **ret, struct err *e)
{
	autofree char *text = NULL;
	const char *line;
	int r;

	r = cg_host_membership(pid, &text, e);
	if (r < 0)
		return r;
	line = strstr(text, ":name=systemd:");
	if (!line)
		return cg_host_v2_path(text, ret, e);
	line += strlen(":name=systemd:");
	*ret = strndup(line, strcspn(line, "\n"));
	return *ret ? 0 : err_nomem(e);
}

static int ask_group(struct cg_dbus_link *l, const char *path, bool is_slice,
		     char **ret, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };
	const char *group;
	int r;

	cg_dbus_call(&m, l->is_bus ? "org.freedesktop.systemd1" : NULL, path,
		     "org.freedesktop.DBus.Properties", "Get", "ss");
	cg_dbus_str(&m, is_slice ? "org.freedesktop.systemd1.Slice"
				 : "org.freedesktop.systemd1.Scope");
	cg_dbus_str(&m, "ControlGroup");
	r = cg_dbus_talk(l, &m, &answer, NULL, NULL, e);
	if (r < 0)
		return r;
	if (cg_dbus_read_var_str(&answer, &group) < 0)
		return err_set(e, -EPROTO, "systemd's answer is malformed");
	*ret = strdup(group);
	return *ret ? 0 : err_nomem(e);
}

/* Without a process to look at systemd must tell. */
static int group_of_unit(struct cg_dbus_link *l, const char *unit,
			 bool is_slice, char **ret, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };
	const char *path;
	int r;

	cg_systemd_call(l, &m, "GetUnit", "s");
	cg_dbus_str(&m, unit);
	r = cg_dbus_talk(l, &m, &answer, NULL, NULL, e);
	if (r < 0)
		return r;
	if (cg_dbus_read_str(&answer, &path) < 0)
		return err_set(e, -EPROTO, "systemd's answer is malformed");
	return ask_group(l, path, is_slice, ret, e);
}

/* A failed unit of that name is of the past: forgotten, and once more. */
static int start_again(struct cg_dbus_link *l, const struct cg_config *config,
		       const struct cg_place *place,
		       const struct cg_limits *limits, struct cg_unit *unit,
		       struct err *e)
{
	int r = start_unit(l, config, place, limits, unit, e);

	if (r != -EEXIST)
		return r;
	unit->found = config->envelope;
	if (unit->found)
		return 0;
	if (call_with_unit(l, "ResetFailedUnit", unit->name, NULL) == 0)
		r = start_unit(l, config, place, limits, unit, e);
	return r == -EEXIST ? err_set(e, -EBUSY, "unit '%s' exists already",
				      unit->name)
			    : r;
}

static int start(struct cg_dbus_link *l, const struct cg_config *config,
		 const struct cg_place *place, const struct cg_limits *limits,
		 struct cg_unit *unit, char **ret_group, struct err *e)
{
	int r;

	r = subscribe(l, e);
	if (r == 0 && !place->unit_is_slice)
		r = cg_unit_hold(unit, e);
	if (r == 0)
		r = start_again(l, config, place, limits, unit, e);
	if (r < 0)
		return err_wrap(e, r, "start unit '%s'", unit->name);
	r = place->unit_is_slice
		    ? group_of_unit(l, unit->name, true, ret_group, e)
		    : group_of(unit->holder, ret_group, e);
	if (r == 0 &&
	    (!*ret_group || str_eq(*ret_group, "/") || str_eq(*ret_group, "")))
		return err_set(e, -EREMOTEIO,
			       "systemd gave unit '%s' no cgroup", unit->name);
	return r;
}

/* Root of a user namespace is no root for the system's manager. */
static bool wants_user(const struct cg_config *config)
{
	if (config->user_manager.set)
		return config->user_manager.v;
	return geteuid() != 0;
}

static int open_unit(const struct cg_config *config,
		     const struct cg_place *place, int timeout_ms,
		     struct cg_dbus_link *l, struct cg_unit *unit,
		     struct err *e)
{
	int r;

	unit->user = wants_user(config);
	r = cg_systemd_connect(l, unit->user, timeout_ms, e);
	if (r < 0)
		return r;
	unit->name = strdup(place->unit);
	return unit->name ? 0 : err_nomem(e);
}

int cg_systemd_start(const struct cg_config *config,
		     const struct cg_place *place,
		     const struct cg_limits *limits, struct cg_unit *unit,
		     char **ret_group, struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	int r;

	r = open_unit(config, place, CG_SYSTEMD_TIMEOUT_MS, &l, unit, e);
	if (r < 0)
		return r;
	r = start(&l, config, place, limits, unit, ret_group, e);
	if (r < 0)
		cg_unit_done(unit);
	return r;
}

int cg_systemd_find(const struct cg_config *config,
		    const struct cg_place *place, struct cg_unit *unit,
		    char **ret_group, struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	int r;

	r = open_unit(config, place, FIND_TIMEOUT_MS, &l, unit, e);
	if (r < 0)
		return r;
	return group_of_unit(&l, unit->name, place->unit_is_slice, ret_group,
			     e);
}

/* --- a running unit -------------------------------------------------------*/

int cg_systemd_set(const struct cg_unit *unit, const struct cg_limits *limits,
		   struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	struct cg_dbus_array a;
	int r;

	r = cg_systemd_connect(&l, unit->user, CG_SYSTEMD_TIMEOUT_MS, e);
	if (r < 0)
		return r;
	cg_systemd_call(&l, &m, "SetUnitProperties", "sba(sv)");
	cg_dbus_str(&m, unit->name);
	cg_dbus_u32(&m, true); /* for as long as the unit runs */
	a = cg_dbus_open(&m, 8);
	r = put_limits(&l, &m, limits, false, e);
	if (r < 0)
		return r;
	cg_dbus_close(&m, a);
	r = call(&l, &m, e);
	return r < 0 ? err_wrap(e, r, "change unit '%s'", unit->name) : 0;
}

int cg_systemd_attach(const struct cg_unit *unit, const char *below, pid_t pid,
		      struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	struct cg_dbus_array a;
	int r;

	r = cg_systemd_connect(&l, unit->user, CG_SYSTEMD_TIMEOUT_MS, e);
	if (r < 0)
		return r;
	cg_systemd_call(&l, &m, "AttachProcessesToUnit", "ssau");
	cg_dbus_str(&m, unit->name);
	cg_dbus_str(&m, below ? below : "");
	a = cg_dbus_open(&m, 4);
	cg_dbus_u32(&m, (uint32_t)pid);
	cg_dbus_close(&m, a);
	r = call(&l, &m, e);
	return r < 0 ? err_wrap(e, r, "move process %d into unit '%s'", pid,
				unit->name)
		     : 0;
}

static int stop(struct cg_dbus_link *l, const char *name, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	int r;

	r = subscribe(l, e);
	if (r < 0)
		return r;
	cg_systemd_call(l, &m, "StopUnit", "ss");
	cg_dbus_str(&m, name);
	cg_dbus_str(&m, "replace");
	r = run_job(l, &m, name, e);
	if (r == -ENOENT)
		return 0;
	/* One that ended in failure stays in systemd's lists until then. */
	if (r == 0 && call_with_unit(l, "ResetFailedUnit", name, NULL) < 0)
		log_debug("unit '%s' had not failed", name);
	return r < 0 ? err_wrap(e, r, "stop unit '%s'", name) : 0;
}

int cg_systemd_stop(const struct cg_unit *unit, int timeout_ms, struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	int r;

	r = cg_systemd_connect(&l, unit->user, timeout_ms, e);
	return r < 0 ? r : stop(&l, unit->name, e);
}
