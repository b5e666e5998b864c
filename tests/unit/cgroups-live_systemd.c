/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cgroups-live.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/proc.h"

/* What only the systemd driver does; the rest of it is run by the other files
 * of this name. */

#define NEED_SYSTEMD()                                                         \
	do {                                                                   \
		live_driver = CG_DRIVER_SYSTEMD;                               \
		NEED_GROUPS();                                                 \
	} while (0)

static char *systemctl(const char *verb, const char *unit, const char *what)
{
	const char *argv[] = { "systemctl", verb, unit, what, "--value", NULL };
	char *text = NULL;
	const struct proc_run run = {
		.path = "systemctl",
		.argv = (char *const *)(void *)argv,
		.timeout_ms = 60000,
		.ret_output = &text,
	};
	struct err e = { 0 };

	if (!unit)
		argv[2] = NULL;
	CHECK_OK(proc_run(&run, &e), &e);
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

static char *show(const struct cg *cg, const char *property)
{
	autofree char *what = str_printf("--property=%s", property);

	return systemctl("show", cg->unit.name, what);
}

static void check_property(const struct cg *cg, const char *name,
			   const char *want)
{
	autofree char *got = show(cg, name);

	if (!CHECK_STR(got, want))
		tap_note("%s", name);
}

static void check_file(const struct cg *cg, const char *file, const char *want)
{
	char text[256];

	if (!CHECK_OK(fd_read_small_at(cg->fd, file, text, sizeof(text)),
		      NULL) ||
	    !CHECK_STR(text, want))
		tap_note("%s", file);
}

static const struct cg_limits many = {
	.cpu_shares = SET(2048),
	.cpu_quota_us = SET(15500),
	.cpu_period_us = SET(50000),
	.cpuset_cpus = (char *)"0",
	.memory_max = SET(64 << 20),
	.memory_low = SET(4 << 20),
	.memory_swap_total = SET(80 << 20),
	.pids_max = SET(77),
};

static void check_many(const struct cg *cg)
{
	check_file(cg, "cpu.weight", "200");
	check_file(cg, "cpuset.cpus", "0");
	check_file(cg, "memory.max", "67108864");
	check_file(cg, "memory.low", "4194304");
	check_file(cg, "pids.max", "77");
}

TEST(limits_are_properties_and_survive_a_reload)
{
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&many, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	check_property(cg, "CPUWeight", "200");
	check_property(cg, "CPUQuotaPerSecUSec", "310ms");
	check_property(cg, "CPUQuotaPeriodUSec", "50ms");
	check_property(cg, "AllowedCPUs", "0");
	check_property(cg, "MemoryMax", "67108864");
	check_property(cg, "MemoryLow", "4194304");
	check_property(cg, "MemorySwapMax", "16777216");
	check_property(cg, "TasksMax", "77");
	check_property(cg, "Slice", "system.slice");
	check_property(cg, "Delegate", "yes");
	check_file(cg, "cpu.max", "15500 50000");
	check_many(cg);
	free(systemctl("daemon-reload", NULL, NULL));
	check_many(cg);
	delete_it(cg);
}

TEST(an_update_is_a_property_too)
{
	const struct cg_limits later = {
		.pids_max = SET(-1),
		.memory_max = SET(32 << 20),
	};
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&many, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_OK(cg_apply(cg, &later, &e), &e);
	check_property(cg, "TasksMax", "infinity");
	check_property(cg, "MemoryMax", "33554432");
	free(systemctl("daemon-reload", NULL, NULL));
	check_file(cg, "pids.max", "max");
	check_file(cg, "memory.max", "33554432");
	check_file(cg, "cpu.weight", "200");
	delete_it(cg);
}

static char *unified_keys[] = { (char *)"memory.high", (char *)"cpu.max",
				(char *)"pids.max", (char *)"cpu.weight",
				(char *)"memory.swap.max" };
static char *unified_texts[] = { (char *)"32M", (char *)"12345 50000",
				 (char *)"55", (char *)"321", (char *)"8M" };

static void check_unified(const struct cg *cg)
{
	check_file(cg, "memory.high", "33554432");
	check_file(cg, "cpu.max", "12345 50000");
	check_file(cg, "pids.max", "55");
	check_file(cg, "cpu.weight", "321");
	check_file(cg, "memory.swap.max", "8388608");
}

TEST(what_unified_says_survives_a_reload)
{
	const struct cg_limits l = {
		.unified = { unified_keys, unified_texts, 5 },
	};
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&l, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	check_unified(cg);
	check_property(cg, "MemoryHigh", "33554432");
	check_property(cg, "TasksMax", "55");
	check_property(cg, "CPUWeight", "321");
	free(systemctl("daemon-reload", NULL, NULL));
	check_file(cg, "memory.high", "33554432");
	check_file(cg, "pids.max", "55");
	check_file(cg, "memory.swap.max", "8388608");
	CHECK_OK(cg_apply(cg, &l, &e), &e);
	check_unified(cg);
	delete_it(cg);
}

/* The period and the maximum are those from before. */
TEST(an_update_of_a_part_tells_systemd_the_whole)
{
	const struct cg_limits later = {
		.cpu_quota_us = SET(20000),
		.memory_swap_total = SET(72 << 20),
	};
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&many, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_OK(cg_apply(cg, &later, &e), &e);
	check_file(cg, "cpu.max", "20000 50000");
	check_property(cg, "CPUQuotaPerSecUSec", "400ms");
	check_property(cg, "MemorySwapMax", "8388608");
	free(systemctl("daemon-reload", NULL, NULL));
	check_file(cg, "cpu.max", "20000 50000");
	check_file(cg, "memory.swap.max", "8388608");
	delete_it(cg);
}

/* 12345 of 100000 are no whole per cents. */
TEST(an_update_is_exact_though_systemd_rounds)
{
	const struct cg_limits later = { .cpu_quota_us = SET(12345) };
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&no_limits, true, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_OK(cg_apply(cg, &later, &e), &e);
	check_file(cg, "cpu.max", "12345 100000");
	delete_it(cg);
}

/* --- devices --------------------------------------------------------------*/

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static void use_devices(void)
{
	_exit(opens("/dev/null", O_RDWR) == 0 &&
			      opens("/dev/zero", O_RDONLY) == 0 &&
			      opens("/dev/zero", O_WRONLY) == EPERM &&
			      opens("/dev/full", O_RDONLY) == EPERM &&
			      opens("/dev/loop-control", O_RDWR) == EPERM
		      ? 0
		      : 1);
}

/* clang-format off */
static struct cg_device_rule rules[] = {
	{ false, CG_DEVICE_ALL,   { 0 },    { 0 },   CG_DEVICE_ANY },
	{ true,  CG_DEVICE_CHAR,  SET(1),   SET(3),  CG_DEVICE_ANY },
	{ true,  CG_DEVICE_CHAR,  SET(1),   SET(5),  CG_DEVICE_READ | CG_DEVICE_WRITE },
	{ false, CG_DEVICE_CHAR,  SET(1),   SET(5),  CG_DEVICE_WRITE },
	{ true,  CG_DEVICE_CHAR,  SET(136), { 0 },   CG_DEVICE_ANY },
	{ true,  CG_DEVICE_BLOCK, { 0 },    { 0 },   CG_DEVICE_MKNOD },
};
/* "deny c 1:7" out of "allow c 1:*" is beyond systemd. */
static struct cg_device_rule finer[] = {
	{ false, CG_DEVICE_ALL,  { 0 },  { 0 },  CG_DEVICE_ANY },
	{ true,  CG_DEVICE_CHAR, SET(1), { 0 },  CG_DEVICE_READ | CG_DEVICE_WRITE },
	{ false, CG_DEVICE_CHAR, SET(1), SET(7), CG_DEVICE_ANY },
	{ false, CG_DEVICE_CHAR, SET(1), SET(5), CG_DEVICE_WRITE },
};
static struct cg_device_rule everything[] = {
	{ true, CG_DEVICE_ALL, { 0 }, { 0 }, CG_DEVICE_ANY },
};
/* clang-format on */

TEST(device_rules_are_properties_and_survive_a_reload)
{
	const struct cg_limits first = { .devices = { rules, 6 } };
	const struct cg_limits second = { .devices = { finer, 4 } };
	const struct cg_limits third = { .devices = { everything, 1 } };
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(make(&first, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	check_property(cg, "DevicePolicy", "strict");
	CHECK_INT(ended(start(cg, use_devices)), 0);
	free(systemctl("daemon-reload", NULL, NULL));
	CHECK_INT(ended(start(cg, use_devices)), 0);
	CHECK_OK(cg_apply(cg, &second, &e), &e);
	check_property(cg, "DeviceAllow", "char-1 rw");
	CHECK_INT(ended(start(cg, use_devices)), 0);
	free(systemctl("daemon-reload", NULL, NULL));
	CHECK_INT(ended(start(cg, use_devices)), 0);
	CHECK_OK(cg_apply(cg, &third, &e), &e);
	check_property(cg, "DevicePolicy", "auto");
	CHECK(ended(start(cg, use_devices)) != 0);
	delete_it(cg);
}

static char *keys[] = { (char *)"TimeoutStopSec", (char *)"Description",
			(char *)"OOMScoreAdjust", NULL };
static char *values[] = { (char *)"1.5", (char *)"'ours'", (char *)"5", NULL };

TEST(annotations_become_properties)
{
	autofree char *path = str_printf("moatunit.slice:moat:p%d", getpid());
	struct cg_config config = {
		.driver = CG_DRIVER_SYSTEMD,
		.path = path,
		.name = (char *)"unit",
		.properties = { keys, values, 2 },
	};
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	(void)start(cg, for_ever);
	check_property(cg, "TimeoutStopUSec", "1.500000s");
	check_property(cg, "Description", "ours");
	check_property(cg, "Slice", "moatunit.slice");
	CHECK_HAS(cg_path(cg), "/moatunit.slice/moat-p");
	delete_it(cg);
	config.properties.n = 3;
	CHECK(cg_create(&config, &no_limits, &cg, &e) < 0);
	CHECK_HAS(e.text, "OOMScoreAdjust");
}

TEST(a_unit_in_use_is_not_taken)
{
	autofree char *path = str_printf(":moat-unit:u%d", getpid());
	const struct cg_config config = {
		.driver = CG_DRIVER_SYSTEMD,
		.path = path,
	};
	struct cg *cg = NULL, *other = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_INT(cg_create(&config, &no_limits, &other, &e), -EBUSY);
	CHECK_HAS(e.text, "exists already");
	delete_it(cg);
}

TEST(a_slice_bounds_the_scopes_below)
{
	const struct cg_config outer = {
		.driver = CG_DRIVER_SYSTEMD,
		.path = (char *)"::moattenant.slice",
		.envelope = true,
	};
	const struct cg_config inner = {
		.driver = CG_DRIVER_SYSTEMD,
		.path = (char *)"moattenant.slice::one",
	};
	const struct cg_limits l = { .pids_max = SET(40) };
	struct cg *tenant = NULL, *again = NULL, *cg = NULL;
	struct err e = { 0 };

	NEED_SYSTEMD();
	REQUIRE_OK(cg_create(&outer, &l, &tenant, &e), &e);
	check_file(tenant, "pids.max", "40");
	REQUIRE_OK(cg_create(&inner, &l, &cg, &e), &e);
	CHECK_HAS(cg_path(cg), "/moattenant.slice/one.scope");
	(void)start(cg, for_ever);
	CHECK_OK(cg_create(&outer, &l, &again, &e), &e);
	cg_free(again);
	delete_it(cg);
	delete_it(tenant);
}

TEST(no_systemd_is_said)
{
	const struct cg_config config = {
		.driver = CG_DRIVER_SYSTEMD,
		.name = (char *)"x",
		.user_manager = { true, true },
	};
	struct cg *cg = NULL;
	struct err e = { 0 };
	char *bus = getenv("DBUS_SESSION_BUS_ADDRESS");
	char *dir = getenv("XDG_RUNTIME_DIR");

	CHECK_INT(setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", 1),
		  0);
	CHECK_INT(setenv("XDG_RUNTIME_DIR", "/nowhere", 1), 0);
	CHECK_INT(cg_create(&config, &no_limits, &cg, &e), -ENOENT);
	CHECK_HAS(e.text, "the user's systemd is not to be reached");
	CHECK_HAS(e.text, "/nowhere");
	if (bus)
		CHECK_INT(setenv("DBUS_SESSION_BUS_ADDRESS", bus, 1), 0);
	if (dir)
		CHECK_INT(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
}

static const struct tap_test tests[] = {
	TAP(limits_are_properties_and_survive_a_reload),
	TAP(an_update_is_a_property_too),
	TAP(what_unified_says_survives_a_reload),
	TAP(an_update_of_a_part_tells_systemd_the_whole),
	TAP(an_update_is_exact_though_systemd_rounds),
	TAP(device_rules_are_properties_and_survive_a_reload),
	TAP(annotations_become_properties),
	TAP(a_unit_in_use_is_not_taken),
	TAP(a_slice_bounds_the_scopes_below),
	TAP(no_systemd_is_said),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
