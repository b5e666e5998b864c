/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan-rows.h"

/* What plan_make() refuses, with the sentence it says. A want that ends in
 * "..." is the beginning: the rest is a sibling's to say. */

static bool matches(const char *got, const char *want)
{
	size_t n = strlen(want);

	if (!str_ends(want, "..."))
		return str_eq(got, want);
	return strncmp(got, want, n - 3) == 0;
}

static void check_row(const struct row *r, const struct plan_context *ctx)
{
	static const struct plan empty;
	autofree char *text = row_text(r);
	struct plan p = { 0 };
	struct err e = { 0 };
	int code;

	code = test_parse(text, ctx, &p, &e);
	if (!CHECK(code < 0 && code == e.code)) {
		tap_note("accepted: %s", text);
		plan_done(&p);
		return;
	}
	if (!CHECK(matches(e.text, r->want))) {
		tap_note("said '%s'", e.text);
		tap_note("want '%s'", r->want);
	}
	(void)CHECK(memcmp(&p, &empty, sizeof(p)) == 0);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i], &test_machine);
}

#define CHECK_ROWS(rows) check_rows(rows, ARRAY_SIZE(rows))

/* clang-format off */

TEST(root_and_namespaces)
{
	static const struct row rows[] = {
		{ .root = "", .want = "root: missing" },
		{ .root = "empty", .want = "root: path: empty, not a path" },
		{ .namespaces = NS("pid") "," NS("user"), .want = "linux: namespaces: no 'mount': the 'user' namespace has no rights over the host's mounts" },
		{ .namespaces = NS("mount") "," NS("pid") "," NS("pid"), .want = "linux: namespaces: [2]: duplicate 'pid'" },
		{ .namespaces = NS("mount") "," NS("mnt"), .want = "linux: namespaces: [1]: type: unknown namespace 'mnt'" },
		{ .namespaces = NS("mount") ",{\"type\":\"ipc\",\"path\":\"run/ipc\"}",
		  .want = "linux: namespaces: [1]: path: 'run/ipc' is not an absolute path" },
		{ .os = "\"rootfsPropagation\":\"public\"", .want = "linux: rootfsPropagation: unknown propagation 'public'" },
		{ .namespaces = NS("mount"), .top = "\"hostname\":\"x\"",
		  .want = "hostname: needs a uts namespace, or it is the host's" },
		{ .top = "\"hostname\":\"" A65 "\"", .want = "hostname: longer than 64 bytes" },
		{ .namespaces = NS("mount"), .top = "\"domainname\":\"x\"",
		  .want = "domainname: needs a uts namespace, or it is the host's" },
		{ .os = "\"maskedPaths\":[\"/a\",\"b\"]", .want = "linux: maskedPaths: [1]: 'b' is not an absolute path" },
		{ .os = "\"readonlyPaths\":[\"\"]", .want = "linux: readonlyPaths: [0]: empty, not an absolute path" },
	};

	CHECK_ROWS(rows);
}

TEST(mappings_and_clocks)
{
	static const struct row rows[] = {
		{ .os = MAPS(MAP("0", "0", "1"), ""), .want = "linux: uidMappings: there is no user namespace to map for" },
		{ .os = MAPS("", MAP("0", "0", "1")), .want = "linux: gidMappings: there is no user namespace to map for" },
		{ .namespaces = USER, .want = "linux: uidMappings: missing for the new user namespace" },
		{ .namespaces = USER, .os = MAPS(MAP("0", "0", "1"), ""),
		  .want = "linux: gidMappings: missing for the new user namespace" },
		{ .namespaces = USER, .os = MAPS(MAP("0", "0", "0"), MAP("0", "0", "1")), .want = "linux: uidMappings: ..." },
		{ .namespaces = USER, .os = MAPS(MAP("0", "0", "10") "," MAP("9", "20", "1"), MAP("0", "0", "1")),
		  .want = "linux: uidMappings: ..." },
		{ .namespaces = USER, .os = MAPS(MAP("0", "4294967295", "2"), MAP("0", "0", "1")), .want = "linux: uidMappings: ..." },
		{ .os = "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}",
		  .want = "linux: timeOffsets: only a new time namespace can have them" },
		{ .namespaces = NS("mount") ",{\"type\":\"time\",\"path\":\"/x\"}", .os = "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}",
		  .want = "linux: timeOffsets: only a new time namespace can have them" },
		{ .namespaces = NS("mount") "," NS("time"), .os = "\"timeOffsets\":{\"realtime\":{\"secs\":1}}",
		  .want = "linux: timeOffsets: 'realtime' is not one of monotonic, boottime" },
		{ .namespaces = NS("mount") "," NS("time"), .os = "\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}",
		  .want = "linux: timeOffsets: boottime: nanosecs: 1000000000 is not less than a second" },
	};

	CHECK_ROWS(rows);
}

TEST(mounts)
{
	static const struct row rows[] = {
		{ .mounts = "{\"destination\":\"\",\"type\":\"tmpfs\"}", .want = "mounts: [0]: destination: empty" },
		{ .mounts = "{\"destination\":\"/a/..\",\"type\":\"none\",\"options\":[\"remount\"]}",
		  .want = "mounts: [0]: destination: '/' is changed by root.readonly" },
		{ .mounts = "{\"destination\":\"../../..\",\"type\":\"tmpfs\"}", .namespaces = NS("pid"),
		  .want = "mounts: [0]: destination: '/' without a new mount namespace would cover what is others'" },
		{ .mounts = BIND("") ",{\"destination\":\"/proc/self/attr\",\"type\":\"tmpfs\"}",
		  .want = "mounts: [1]: destination: '/proc/self/attr' lies inside /proc, where mounts are not allowed" },
		{ .mounts = "{\"destination\":\"/x/../proc//sys\",\"type\":\"tmpfs\"}",
		  .want = "mounts: [0]: destination: '/proc/sys' lies inside /proc, where mounts are not allowed" },
		{ .mounts = "{\"destination\":\"/a\"}", .want = "mounts: [0]: type: missing, and no option makes it a bind mount" },
		{ .mounts = "{\"destination\":\"/a\",\"type\":\"bind\"}", .want = "mounts: [0]: source: empty, not a path" },
		{ .mounts = BIND(",\"options\":[\"ro\",\"nosiud\"]"),
		  .want = "mounts: [0]: options: 'nosiud' is nothing that a bind mount knows" },
		{ .mounts = BIND("," MAPS(MAP("0", "0", "1"), "")), .want = "mounts: [0]: gidMappings: missing beside uidMappings" },
		{ .mounts = BIND("," MAPS("", MAP("0", "0", "1"))), .want = "mounts: [0]: uidMappings: missing beside gidMappings" },
		{ .mounts = BIND("," MAPS(MAP("0", "0", "0"), MAP("0", "0", "1"))), .want = "mounts: [0]: uidMappings: ..." },
		{ .mounts = BIND(",\"options\":[\"idmap\"]"),
		  .want = "mounts: [0]: options: idmap: neither mappings nor a user namespace" },
		{ .mounts = "{\"destination\":\"/a\",\"type\":\"tmpfs\"," MAPS(MAP("0", "0", "1"), MAP("0", "0", "1")) "}",
		  .want = "mounts: [0]: only bind mounts can have their ids mapped" },
	};

	CHECK_ROWS(rows);
}

TEST(devices)
{
	static const struct row rows[] = {
		{ .os = DEVICE("\"type\":\"x\""), .want = "linux: devices: [0]: type: 'x' is not one of c, b, u, p" },
		{ .os = DEVICE("\"type\":\"\""), .want = "linux: devices: [0]: type: '' is not one of c, b, u, p" },
		{ .os = DEVICE("\"type\":\"c\",\"major\":-1"), .want = "linux: devices: [0]: major: -1 is not in 0..4095" },
		{ .os = DEVICE("\"type\":\"b\",\"minor\":1048576"), .want = "linux: devices: [0]: minor: 1048576 is not in 0..1048575" },
		{ .os = "\"devices\":[{\"path\":\"dev/x\",\"type\":\"p\"}]",
		  .want = "linux: devices: [0]: path: 'dev/x' is not an absolute path" },
		{ .os = "\"devices\":[{\"path\":\"/dev/..\",\"type\":\"p\"}]", .want = "linux: devices: [0]: path: '/' is no device" },
		{ .os = "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"p\"},{\"path\":\"/dev//x\",\"type\":\"p\"}]",
		  .want = "linux: devices: duplicate path '/dev/x'" },
		{ .os = RES("\"devices\":[{\"allow\":true},{\"allow\":true,\"type\":\"x\"}]"),
		  .want = "linux: resources: devices: [1]: type: 'x' is not one of a, c, b" },
		{ .os = RES("\"devices\":[{\"allow\":true,\"major\":-2}]"),
		  .want = "linux: resources: devices: [0]: major: -2 is not in 0..4095" },
		{ .os = RES("\"devices\":[{\"allow\":true,\"minor\":1048576}]"),
		  .want = "linux: resources: devices: [0]: minor: 1048576 is not in 0..1048575" },
		{ .os = RES("\"devices\":[{\"allow\":true,\"access\":\"rx\"}]"),
		  .want = "linux: resources: devices: [0]: access: 'rx' is more than r, w and m" },
	};

	CHECK_ROWS(rows);
}

TEST(memory_and_tasks)
{
	static const struct row rows[] = {
		{ .os = RES("\"memory\":{\"limit\":-2}"), .want = "linux: resources: memory: limit: -2 is neither a size nor -1" },
		{ .os = RES("\"memory\":{\"swap\":10}"),
		  .want = "linux: resources: memory: swap: limits memory and swap together, and needs a limit of memory" },
		{ .os = RES("\"memory\":{\"limit\":-1,\"swap\":10}"),
		  .want = "linux: resources: memory: swap: limits memory and swap together, and needs a limit of memory" },
		{ .os = RES("\"memory\":{\"limit\":20,\"swap\":10}"),
		  .want = "linux: resources: memory: swap: 10 is memory and swap together, and less than limit 20" },
		{ .os = RES("\"memory\":{\"limit\":20,\"reservation\":21}"),
		  .want = "linux: resources: memory: reservation: 21 is more than limit 20" },
		{ .os = RES("\"memory\":{\"swappiness\":101}"), .want = "linux: resources: memory: swappiness: 101 is not in 0..100" },
		{ .os = RES("\"memory\":{\"useHierarchy\":false}"),
		  .want = "linux: resources: memory: useHierarchy: no kernel can do without any more" },
		{ .os = RES("\"pids\":{\"limit\":-2}"), .want = "linux: resources: pids: limit: -2 is neither a number of tasks nor -1" },
	};

	CHECK_ROWS(rows);
}

TEST(processors)
{
	static const struct row rows[] = {
		{ .os = RES("\"cpu\":{\"quota\":-2}"), .want = "linux: resources: cpu: quota: -2 is neither a time nor -1" },
		{ .os = RES("\"cpu\":{\"period\":999}"), .want = "linux: resources: cpu: period: 999 is not in 1000..1000000" },
		{ .os = RES("\"cpu\":{\"period\":1000001}"), .want = "linux: resources: cpu: period: 1000001 is not in 1000..1000000" },
		{ .os = RES("\"cpu\":{\"quota\":5000,\"burst\":5001}"), .want = "linux: resources: cpu: burst: 5001 is more than quota 5000" },
		{ .os = RES("\"cpu\":{\"realtimeRuntime\":11,\"realtimePeriod\":10}"),
		  .want = "linux: resources: cpu: realtimeRuntime: 11 is more than realtimePeriod 10" },
		{ .os = RES("\"cpu\":{\"cpus\":\"3-1\"}"), .want = "linux: resources: cpu: cpus: '3-1' is not a list like 0-3,7" },
		{ .os = RES("\"cpu\":{\"mems\":\"0,\"}"), .want = "linux: resources: cpu: mems: '0,' is not a list like 0-3,7" },
		{ .os = RES("\"cpu\":{\"idle\":2}"), .want = "linux: resources: cpu: idle: 2 is not 0 or 1" },
	};

	CHECK_ROWS(rows);
}

TEST(other_limits)
{
	static const struct row rows[] = {
		{ .os = RES("\"blockIO\":{\"weight\":9}"), .want = "linux: resources: blockIO: weight: 9 is not in 10..1000" },
		{ .os = RES("\"blockIO\":{\"leafWeight\":1001}"), .want = "linux: resources: blockIO: leafWeight: 1001 is not in 10..1000" },
		{ .os = RES("\"blockIO\":{\"weightDevice\":[{\"major\":4096,\"minor\":0,\"weight\":10}]}"),
		  .want = "linux: resources: blockIO: weightDevice: [0]: 4096:0 is not a device" },
		{ .os = RES("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":9}]}"),
		  .want = "linux: resources: blockIO: weightDevice: [0]: weight: 9 is not in 10..1000" },
		{ .os = RES("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":1001}]}"),
		  .want = "linux: resources: blockIO: weightDevice: [0]: leafWeight: 1001 is not in 10..1000" },
		{ .os = RES("\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":-1,\"rate\":1}]}"),
		  .want = "linux: resources: blockIO: throttleReadIOPSDevice: [0]: 8:-1 is not a device" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"2M\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: '2M' is not a size like 2MB" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: '../2MB' is not a size like 2MB" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"MB\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: 'MB' is not a size like 2MB" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"2XB\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: '2XB' is not a size like 2MB" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"2MX\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: '2MX' is not a size like 2MB" },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"12345678MB\",\"limit\":1}]"),
		  .want = "linux: resources: hugepageLimits: [0]: pageSize: '12345678MB' is not a size like 2MB" },
		{ .os = RES("\"unified\":{\"../memory.max\":\"1\"}"),
		  .want = "linux: resources: unified: '../memory.max' is not the name of a cgroup file" },
		{ .os = RES("\"unified\":{\"memory\":\"1\"}"), .want = "linux: resources: unified: 'memory' is not the name of a cgroup file" },
		{ .os = RES("\"unified\":{\"cgroup.procs\":\"1\"}"),
		  .want = "linux: resources: unified: 'cgroup.procs' is no limit but how groups are run" },
		{ .os = "\"cgroupsPath\":\"a/../..\"", .want = "linux: cgroupsPath: ..." },
	};

	CHECK_ROWS(rows);
}

TEST(kernel_parameters_and_network_devices)
{
	static const struct row rows[] = {
		{ .os = "\"sysctl\":{\"kernel.panic\":\"1\"}", .want = "linux: sysctl: ..." },
		{ .os = "\"sysctl\":{\"net/../kernel/panic\":\"1\"}", .want = "linux: sysctl: ..." },
		{ .namespaces = NS("mount"), .os = "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}", .want = "linux: sysctl: ..." },
		{ .os = "\"sysctl\":{\"kernel.hostname\":\"a\"}", .top = "\"hostname\":\"b\"",
		  .want = "linux: sysctl: sysctl 'kernel.hostname': the container has 'hostname' for it" },
		{ .os = "\"sysctl\":{\"kernel.domainname\":\"a\"}", .top = "\"domainname\":\"b\"",
		  .want = "linux: sysctl: kernel.domainname: contradicts domainname" },
		{ .os = "\"sysctl\":{\"kernel.hostname\":\"a\"}", .top = "\"hostname\":\"b\"", .want = "linux: sysctl: ..." },
		{ .namespaces = NS("mount"), .os = "\"netDevices\":{\"eth0\":{}}",
		  .want = "linux: netDevices: needs a network namespace to move them to" },
		{ .os = "\"netDevices\":{\"eth0/1\":{}}", .want = "linux: netDevices: 'eth0/1' cannot be a network device's name" },
		{ .os = "\"netDevices\":{\"..\":{}}", .want = "linux: netDevices: '..' cannot be a network device's name" },
		{ .os = "\"netDevices\":{\"eth0\":{\"name\":\"eth%d\"}}",
		  .want = "linux: netDevices: eth0: name: 'eth%d' cannot be a network device's name" },
		{ .os = "\"netDevices\":{\"eth0\":{\"name\":\"aaaaaaaaaaaaaaaa\"}}",
		  .want = "linux: netDevices: eth0: name: 'aaaaaaaaaaaaaaaa' cannot be a network device's name" },
		{ .os = "\"netDevices\":{\"eth0\":{\"name\":\"a\"},\"eth1\":{\"name\":\"a\"}}",
		  .want = "linux: netDevices: eth1: name: duplicate 'a'" },
		{ .os = "\"netDevices\":{\"eth0\":{\"name\":\"lo\"}}", .want = "linux: netDevices: eth0: name: 'lo' is the namespace's own" },
	};

	CHECK_ROWS(rows);
}

TEST(what_the_kernel_is_told_about_the_program)
{
	static const struct row rows[] = {
		{ .os = "\"intelRdt\":{\"closID\":\"..\"}", .want = "linux: intelRdt: closID: '..' is not the name of a class" },
		{ .os = "\"intelRdt\":{\"closID\":\"a/b\"}", .want = "linux: intelRdt: closID: 'a/b' is not the name of a class" },
		{ .os = "\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}",
		  .want = "linux: intelRdt: memBwSchema: not one line that begins with 'MB:'" },
		{ .os = "\"intelRdt\":{\"memBwSchema\":\"MB:0=1\\nL3:0=f\"}",
		  .want = "linux: intelRdt: memBwSchema: not one line that begins with 'MB:'" },
		{ .os = "\"intelRdt\":{\"schemata\":[\"L3:0=f\",\"x\"]}", .want = "linux: intelRdt: schemata: [1]: not one line like 'L3:0=ff'" },
		{ .os = "\"memoryPolicy\":{\"mode\":\"MPOL_NONE\"}", .want = "linux: memoryPolicy: ..." },
		{ .os = "\"personality\":{\"domain\":\"SOLARIS\"}", .want = "linux: personality: ..." },
		{ .os = "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", .want = "linux: seccomp: ..." },
		{ .os = "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
			"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		  .want = "linux: seccomp: ..." },
	};

	CHECK_ROWS(rows);
}

TEST(the_program)
{
	static const struct row rows[] = {
		{ .process = "\"cwd\":\"/\"", .want = "process: args: empty" },
		{ .process = "\"cwd\":\"/\",\"args\":[]", .want = "process: args: empty" },
		{ .process = "\"cwd\":\"/\",\"args\":[\"\"]", .want = "process: args: [0]: empty" },
		{ .process = "\"args\":[\"a\"]", .want = "process: cwd: empty, not an absolute path" },
		{ .process = "\"args\":[\"a\"],\"cwd\":\"tmp\"", .want = "process: cwd: 'tmp' is not an absolute path" },
		{ .process = RUN ",\"env\":[\"A=1\",\"B\"]", .want = "process: env: [1]: 'B' has no '='" },
		{ .process = RUN ",\"env\":[\"=1\"]", .want = "process: env: [0]: '=1' has no name" },
		{ .process = RUN ",\"terminal\":true,\"consoleSize\":{\"height\":65536,\"width\":1}",
		  .want = "process: consoleSize: 65536 by 1 is more than 65535" },
		{ .process = RUN ",\"user\":{\"umask\":512}", .want = "process: user: umask: 01000 is more than 0777" },
		{ .process = RUN ",\"user\":{\"uid\":4294967295}", .want = "process: user: uid: 4294967295 means no one" },
		{ .process = RUN ",\"oomScoreAdj\":1001", .want = "process: oomScoreAdj: 1001 is not in -1000..1000" },
		{ .process = RUN ",\"oomScoreAdj\":-1001", .want = "process: oomScoreAdj: -1001 is not in -1000..1000" },
		{ .process = RUN ",\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":65536}",
		  .want = "process: consoleSize: 1 by 65536 is more than 65535" },
		{ .process = RUN ",\"user\":{\"gid\":4294967295}", .want = "process: user: gid: 4294967295 means no one" },
		{ .process = RUN ",\"rlimits\":[{\"type\":\"RLIMIT_FOO\",\"soft\":1,\"hard\":1}]", .want = "process: rlimits: [0]: ..." },
		{ .process = RUN ",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]", .want = "process: rlimits: [0]: ..." },
		{ .process = RUN ",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1}]",
		  .want = "process: rlimits: [1]: duplicate 'RLIMIT_CORE'" },
		{ .process = RUN ",\"scheduler\":{\"policy\":\"SCHED_LAZY\"}", .want = "process: scheduler: ..." },
		{ .process = RUN ",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":9}", .want = "process: ioPriority: ..." },
		{ .process = RUN ",\"execCPUAffinity\":{\"initial\":\"9-1\"}", .want = "process: execCPUAffinity: initial: ..." },
	};

	CHECK_ROWS(rows);
}

TEST(users_without_a_mapping)
{
#define OWNED(type, options) "{\"destination\":\"/m\",\"type\":\"" type "\",\"options\":[" options "]}"
#define ONE MAPS(MAP("0", "1000", "1"), MAP("0", "1000", "1"))
	static const struct row rows[] = {
		{ .namespaces = USER, .os = ONE, .process = RUN ",\"user\":{\"uid\":1}", .want = "process: user: uid: 1 has no mapping" },
		{ .namespaces = USER, .os = ONE, .process = RUN ",\"user\":{\"gid\":1}", .want = "process: user: gid: 1 has no mapping" },
		{ .namespaces = USER, .os = ONE, .process = RUN ",\"user\":{\"additionalGids\":[0,7]}",
		  .want = "process: user: additionalGids: 7 has no mapping" },
		{ .namespaces = USER, .os = ONE, .mounts = OWNED("devpts", "\"newinstance\",\"gid=5\",\"mode=0620\""),
		  .want = "mounts: [0]: options: gid=5 has no mapping" },
		{ .namespaces = USER, .os = ONE, .mounts = OWNED("tmpfs", "\"gid=0\",\"uid=1\""),
		  .want = "mounts: [0]: options: uid=1 has no mapping" },
	};

	CHECK_ROWS(rows);
}

TEST(hooks)
{
	static const struct row rows[] = {
		{ .top = HOOK("{\"path\":\"bin/true\"}"), .want = "hooks: poststart: [1]: path: 'bin/true' is not an absolute path" },
		{ .top = HOOK("{\"path\":\"\"}"), .want = "hooks: poststart: [1]: path: empty, not an absolute path" },
		{ .top = HOOK("{\"path\":\"/h\",\"timeout\":0}"),
		  .want = "hooks: poststart: [1]: timeout: 0 is not a number of seconds over 0" },
		{ .top = HOOK("{\"path\":\"/h\",\"timeout\":-1}"),
		  .want = "hooks: poststart: [1]: timeout: -1 is not a number of seconds over 0" },
		{ .top = HOOK("{\"path\":\"/h\",\"env\":[\"A\"]}"), .want = "hooks: poststart: [1]: env: [0]: 'A' has no '='" },
	};

	CHECK_ROWS(rows);
}

TEST(annotations)
{
	static const struct row rows[] = {
		{ .top = NOTE("moat.isolatoin", "vm"), .want = "annotations: 'moat.isolatoin' is not an annotation of moat" },
		{ .top = NOTE("moat.", "vm"), .want = "annotations: 'moat.' is not an annotation of moat" },
		{ .top = NOTE("moat.isolation", "VM"), .want = "annotations: moat.isolation: 'VM' is not one of container, vm" },
		{ .top = NOTE("moat.rootfs.layers", "/a:b"), .want = "annotations: moat.rootfs.layers: [1]: 'b' is not an absolute path" },
		{ .top = NOTE("moat.rootfs.layers", ""), .want = "annotations: moat.rootfs.layers: empty" },
		{ .top = NOTE("moat.rootfs.scratch", "a"), .want = "annotations: moat.rootfs.scratch: 'a' is not an absolute path" },
		{ .top = NOTE("moat.rootfs.scratch", "/a"), .want = "root: moat.rootfs.scratch without moat.rootfs.layers" },
		{ .top = NOTE("moat.rootfs.scratch-size", "many"), .want = "annotations: moat.rootfs.scratch-size: 'many' is not a size like 512m or 2g" },
		{ .top = NOTE("moat.rootfs.scratch-size", "0"), .want = "annotations: moat.rootfs.scratch-size: '0' is not a size like 512m or 2g" },
		{ .top = NOTE("moat.vm.timeout", "0.0009"), .want = "annotations: moat.vm.timeout: '0.0009' is not a time in seconds" },
		{ .top = NOTE("moat.vm.timeout", "2147483.648"), .want = "annotations: moat.vm.timeout: '2147483.648' is not a time in seconds" },
		{ .top = "\"annotations\":{\"moat.rootfs.layers\":\"/a\",\"moat.rootfs.scratch\":\"/b\",\"moat.rootfs.scratch-size\":\"1m\"}",
		  .want = "root: moat.rootfs.scratch-size is that of a tmpfs, not of moat.rootfs.scratch" },
		{ .top = NOTE("moat.rootfs.scratch-size", "1m"), .want = "root: moat.rootfs.scratch-size without moat.rootfs.layers" },
		{ .top = NOTE("moat.vm.backend", "xen"), .want = "annotations: moat.vm.backend: 'xen' is not one of auto, kvm, qemu" },
		{ .top = NOTE("moat.vm.kernel", "vmlinuz"), .want = "annotations: moat.vm.kernel: 'vmlinuz' is not an absolute path" },
		{ .top = NOTE("moat.vm.vcpus", "0"), .want = "annotations: moat.vm.vcpus: '0' is not a number of vCPUs" },
		{ .top = NOTE("moat.vm.memory", "-1"), .want = "annotations: moat.vm.memory: '-1' is not a size like 512m or 2g" },
		{ .top = NOTE("moat.vm.pin", ""), .want = "annotations: moat.vm.pin: '' is not a list of CPUs like 0-3,6" },
		{ .top = NOTE("moat.vm.pin", "3-1"), .want = "annotations: moat.vm.pin: '3-1' is not a list of CPUs like 0-3,6" },
		{ .top = NOTE("moat.vm.pin", "1024"), .want = "annotations: moat.vm.pin: '1024' is not a list of CPUs like 0-3,6" },
		{ .top = NOTE("moat.vm.pin", "0-1023,0"), .want = "annotations: moat.vm.pin: '0-1023,0' is not a list of CPUs like 0-3,6" },
		{ .top = NOTE("moat.vm.huge-pages", "yes"), .want = "annotations: moat.vm.huge-pages: 'yes' is not one of advise, never, reserve" },
		{ .top = NOTE("moat.vm.ksm", "1"), .want = "annotations: moat.vm.ksm: '1' is not true or false" },
		{ .top = NOTE("moat.vm.pin", "1-3") ",\"vm\":{}", .os = RES("\"cpu\":{\"cpus\":\"0,2-3\"}"),
		  .want = "vm: moat.vm.pin: CPU 1 is not in the cpuset '0,2-3'" },
		{ .top = NOTE("moat.vm.cmdline", "a\\nb"), .want = "annotations: moat.vm.cmdline: a line break" },
		{ .top = NOTE("run.oci.handler", "wasm"), .want = "annotations: run.oci.handler: 'wasm' is not krun" },
		{ .top = NOTE("run.oci.hooks.stdout", "a"), .want = "annotations: run.oci.hooks.stdout: 'a' is not an absolute path" },
		{ .top = NOTE("run.oci.hooks.stderr", ""), .want = "annotations: run.oci.hooks.stderr: empty, not an absolute path" },
		{ .top = NOTE("run.oci.pidfd_receiver", "a"), .want = "annotations: run.oci.pidfd_receiver: 'a' is not an absolute path" },
		{ .top = NOTE("run.oci.seccomp.receiver", "a"), .want = "annotations: run.oci.seccomp.receiver: 'a' is not an absolute path" },
		{ .top = NOTE("run.oci.seccomp_bpf_data", "AAAA"), .want = "annotations: run.oci.seccomp_bpf_data: only linux.seccomp is a filter" },
		{ .top = NOTE("run.oci.timens_offset", "1 2 3"), .want = "linux: timeOffsets: run.oci.timens_offset: only a new time namespace can have it" },
		{ .top = NOTE("run.oci.timens_offset", "1 2"), .want = "linux: timeOffsets: run.oci.timens_offset: '1 2' is not CLOCK SECONDS NANOSECONDS" },
		{ .top = NOTE("run.oci.timens_offset", "1 a 3"), .want = "linux: timeOffsets: run.oci.timens_offset: '1 a 3' is not CLOCK SECONDS NANOSECONDS" },
		{ .namespaces = ALL "," NS("time"), .top = NOTE("run.oci.timens_offset", "2 1 3"), .want = "linux: timeOffsets: run.oci.timens_offset: ..." },
		{ .namespaces = ALL "," NS("time"), .os = "\"timeOffsets\":{\"boottime\":{\"secs\":1}}", .top = NOTE("run.oci.timens_offset", "7 1 3"),
		  .want = "linux: timeOffsets: annotation run.oci.timens_offset says another one" },
		{ .top = NOTE("", "a"), .want = "annotations: an empty key" },
		{ .top = "\"annotations\":{\"moat.rootfs.layers\":\"/a\",\"moat.rootfs.scratch\":\"/b\",\"moat.rootfs.scratch-size\":\"1m\"}",
		  .want = "root: moat.rootfs.scratch-size is that of a tmpfs, not of moat.rootfs.scratch" },
		{ .namespaces = NS("pid"), .top = NOTE("moat.rootfs.layers", "/a"),
		  .want = "root: moat.rootfs.layers without a new mount namespace: the overlay would be everybody's" },
		{ .top = NOTE("moat.vm.timeout", "soon"), .want = "annotations: moat.vm.timeout: 'soon' is not a time in seconds" },
	};

	CHECK_ROWS(rows);
}

#define IN_VM(rest) NOTE("moat.isolation", "vm") ",\"vm\":{" rest "}"

TEST(virtual_machines)
{
	static const struct row rows[] = {
		{ .top = IN_VM("\"hypervisor\":{\"path\":\"/qemu\"}"),
		  .want = "vm: hypervisor: moat has its own; annotation moat.vm.backend chooses" },
		{ .top = IN_VM("\"image\":{\"path\":\"/i\",\"format\":\"raw\"}"),
		  .want = "vm: image: the guest's system is moat's own, the container's root comes from root" },
		{ .top = IN_VM("\"kernel\":{\"path\":\"vmlinuz\"}"), .want = "vm: kernel: path: 'vmlinuz' is not an absolute path" },
		{ .top = IN_VM("\"kernel\":{\"path\":\"/k\",\"initrd\":\"i\"}"), .want = "vm: kernel: initrd: 'i' is not an absolute path" },
		{ .top = IN_VM("\"kernel\":{\"path\":\"/k\",\"parameters\":[\"a\\nb\"]}"),
		  .want = "vm: kernel: parameters: [0]: a line break" },
		{ .top = IN_VM("\"hwConfig\":{\"deviceTree\":\"/t\"}"), .want = "vm: hwConfig: deviceTree: this machine describes itself by ACPI" },
		{ .top = IN_VM("\"hwConfig\":{\"irqs\":[1]}"), .want = "vm: hwConfig: irqs: no device of the host is handed through" },
		{ .top = IN_VM("\"hwConfig\":{\"vcpus\":5}"), .want = "vm: vcpus: 5 is not in 1..4, what the host has" },
		{ .top = IN_VM("\"hwConfig\":{\"memory\":1048576}"),
		  .want = "vm: memory: 1048576 is not in 134217728..8589934592, what the host has" },
		{ .top = IN_VM("\"hwConfig\":{\"memory\":8589934593}"),
		  .want = "vm: memory: 8589934593 is not in 134217728..8589934592, what the host has" },
		{ .top = IN_VM("\"hwConfig\":{\"vcpus\":0}"), .want = "vm: vcpus: 0 is not in 1..4, what the host has" },
		{ .top = IN_VM("\"hwConfig\":{\"dtdevs\":[\"x\"]}"), .want = "vm: hwConfig: dtdevs: no device of the host is handed through" },
		{ .top = IN_VM("\"hwConfig\":{\"iomems\":[{\"firstMFN\":1,\"nrMFNs\":1}]}"),
		  .want = "vm: hwConfig: iomems: no device of the host is handed through" },
		{ .namespaces = NS("mount") ",{\"type\":\"pid\",\"path\":\"/p\"}", .top = IN_VM(""),
		  .want = "vm: a micro-VM cannot join a 'pid' namespace of the host" },
	};

	CHECK_ROWS(rows);
}

/* clang-format on */

TEST(what_only_root_of_the_host_may_do)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ .want = "linux: namespaces: no 'user': needed when not started by root" },
		{ .namespaces = USER "," NS("network"), .os = ONE ",\"netDevices\":{\"eth0\":{}}",
		  .want = "linux: netDevices: only root of the host can move its devices" },
		{ .namespaces = USER, .os = ONE, .mounts = BIND(",\"options\":[\"idmap\"]"),
		  .want = "mounts: [0]: only root of the host can map a mount's ids" },
	};
	/* clang-format on */
	struct plan_context ctx = test_machine;

	ctx.rootless = true;
	ctx.uid = ctx.gid = 1000;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i], &ctx);
}

TEST(what_systemd_would_not_take)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ .os = "\"cgroupsPath\":\"/a/b\"", .want = "linux: cgroupsPath: ..." },
		{ .top = NOTE("org.systemd.property.A1", "1"), .want = "annotations: org.systemd.property.A1: not the name of a property" },
		{ .top = NOTE("org.systemd.property.AB", "1"), .want = "annotations: org.systemd.property.AB: not the name of a property" },
		{ .top = NOTE("org.systemd.property.", "1"), .want = "annotations: org.systemd.property.: not the name of a property" },
	};
	/* clang-format on */
	struct plan_context ctx = test_machine;

	ctx.cgroup_driver = CG_DRIVER_SYSTEMD;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i], &ctx);
}

static const struct tap_test tests[] = {
	TAP(root_and_namespaces),
	TAP(mappings_and_clocks),
	TAP(mounts),
	TAP(devices),
	TAP(memory_and_tasks),
	TAP(processors),
	TAP(other_limits),
	TAP(kernel_parameters_and_network_devices),
	TAP(what_the_kernel_is_told_about_the_program),
	TAP(the_program),
	TAP(users_without_a_mapping),
	TAP(hooks),
	TAP(annotations),
	TAP(virtual_machines),
	TAP(what_only_root_of_the_host_may_do),
	TAP(what_systemd_would_not_take),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
