#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The guard rails catch what they are there for. Each test plants a fault in a
# small tree of its own, where nothing else is wrong, and names the complaint.
# shellcheck disable=SC2016 # the planted lines are to stay as they are

setup()
{
	source=${MOAT_SOURCE:-$BATS_TEST_DIRNAME/../..}
	[ -e "$source/.git" ] || skip "for a clone: a release is not written in"
	cd "$BATS_TEST_TMPDIR" || return
	mkdir tree
	cp -R "$source/build-aux" "$source/.clang-format" \
		"$source/.clang-tidy" "$source/.shellcheckrc" tree
	chmod -R u+w tree
	cd tree || return
	unset MOAT_BUILD MOAT_CACHE
	header base/util.h 'int util(void);'
	c_file base/util.c '#include "base/util.h"' '' \
		'int util(void)' '{' '	return 0;' '}'
}

# header FILE LINE..., c_file FILE LINE...: as they must be but for the lines.
header()
{
	put "$1" '/* SPDX-License-Identifier: Apache-2.0 */' '#pragma once' '' \
		'/* What it is for. */' "${@:2}"
}

c_file()
{
	put "$1" '/* SPDX-License-Identifier: Apache-2.0 */' "${@:2}"
}

put()
{
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$1"
}

# function_of N STATEMENT: a function of N lines.
function_of()
{
	printf 'static void f(void)\n{\n'
	for ((i = 3; i < $1; i++)); do printf '\t%s\n' "$2"; done
	printf '}\n'
}

need()
{
	command -v "$1" >/dev/null && return
	[[ ${TEST_STRICT-} != 1 ]] || return
	skip "$1 is not installed"
}

passes()
{
	run "$@"
	echo "$output"
	[[ $status -eq 0 ]]
}

# refuses WHAT COMMAND...: it fails, and one of its lines contains WHAT.
refuses()
{
	run "${@:2}"
	echo "$output"
	[[ $status -eq 1 && $output == *"$1"* ]]
}

# --- layers -------------------------------------------------------------------
@test "a tree without a fault passes" {
	need clang-format
	need shellcheck
	need groff
	passes build-aux/lint
	[[ ${lines[-1]} == "lint: clean" ]]
}

@test "one fault fails lint as a whole, which names the rule" {
	c_file base/bad.c '#include "cgroups/cg.h"'
	refuses "lint: not clean: layers" build-aux/lint layers length words
}

@test "a lower layer does not know a higher one" {
	header src/oci/plan.h
	c_file base/bad.c '#include "src/oci/plan.h"'
	refuses "base/bad.c:2: base must not know src/oci" build-aux/check-layers
}

@test "siblings do not know each other" {
	header cgroups/cg.h
	c_file netns/bad.c '#include "cgroups/cg.h"'
	refuses "netns/bad.c:2: netns must not know cgroups" \
		build-aux/check-layers
}

@test "a subfolder belongs to its folder's layer" {
	header src/engine/store.h
	c_file microvm/x86/bad.c '#include "src/engine/store.h"'
	refuses "microvm must not know src/engine" build-aux/check-layers
}

@test "foreign headers stay behind their fences" {
	local n=0
	while read -r name; do
		c_file "src/cli/bad$n.c" "#include <$name>"
		refuses "src/cli/bad$n.c:2: <$name> belongs to" \
			build-aux/check-layers
		n=$((n + 1))
	done <<-END
		yajl/yajl_parse.h
		libmnl/libmnl.h
		sys/capability.h
		seccomp.h
		linux/kvm.h
	END
	[[ $n -eq 5 ]]
}

@test "behind its fence a foreign header is at home" {
	c_file base/json_parse.c '#include <yajl/yajl_parse.h>'
	c_file microvm/x86/cpuid.c '#include <linux/kvm.h>'
	passes build-aux/check-layers
}

@test "a private header is refused elsewhere" {
	echo '=netns: net.h' >>build-aux/layers
	header netns/net.h
	header netns/nl.h
	c_file src/runtime/good.c '#include "netns/net.h"'
	c_file netns/good.c '#include "netns/nl.h"'
	passes build-aux/check-layers
	c_file src/runtime/bad.c '#include "netns/nl.h"'
	refuses "bad.c:2: 'netns/nl.h' is private to netns" \
		build-aux/check-layers
}

@test "the own header comes first" {
	header base/own.h
	c_file base/own.c '#include <errno.h>' '' '#include "base/own.h"'
	refuses "base/own.c:2: 'base/own.h' must be the first include" \
		build-aux/check-layers
}

@test "includes come in their order" {
	c_file base/a.c '#include "base/util.h"' '' \
		'#include <unistd.h>' '#include <errno.h>'
	refuses "base/a.c:5: 'errno.h' must stand before 'unistd.h'" \
		build-aux/check-layers
	header base/b.h '#include "base/util.h"' '' '#include <errno.h>'
	refuses "base/b.h:7: 'errno.h' comes too late" build-aux/check-layers
	c_file base/c.c '#include <errno.h>' '#include <errno.h>'
	refuses "base/c.c:3: 'errno.h' twice" build-aux/check-layers
}

@test "an include with a comment behind it stands where it must" {
	c_file base/a.c '#include <sys/socket.h>' \
		'#include <linux/if.h> /* after sys/socket.h: same names */'
	passes build-aux/check-layers
}

@test "a project header is written from the root" {
	c_file base/bad.c '#include "util.h"'
	refuses "bad.c:2: 'util.h': no such file; write it from the root" \
		build-aux/check-layers
}

@test "a folder without a layer is refused" {
	c_file extra/a.c '#include "base/util.h"'
	refuses "extra/a.c:1: no line in build-aux/layers" \
		build-aux/check-layers
}

@test "modules that include each other are refused" {
	header base/one.h '#include "base/two.h"'
	header base/two.h
	header base/three.h '#include "base/one.h"'
	c_file base/one.c '#include "base/one.h"'
	c_file base/two.c '#include "base/two.h"'
	c_file base/three.c '#include "base/three.h"'
	passes build-aux/check-layers
	header base/two.h '#include "base/three.h"'
	refuses "modules include each other: base/" build-aux/check-layers
}

@test "a private header shared by the parts of a module is no cycle" {
	header base/spec.h
	header base/spec_priv.h '#include "base/spec.h"'
	c_file base/spec.c '#include "base/spec.h"' '' \
		'#include "base/spec_priv.h"'
	c_file base/spec_linux.c '#include "base/spec_priv.h"'
	passes build-aux/check-layers
}

# --- length -------------------------------------------------------------------
@test "a function of 60 lines passes, one of 61 does not" {
	c_file base/a.c "$(function_of 60 'g();')"
	passes build-aux/fn-length
	c_file base/a.c "$(function_of 61 'g();')"
	refuses "base/a.c:2: f() has 61 lines" build-aux/fn-length
	c_file base/a.c '/* long: one row per exit */' \
		"$(function_of 61 'g();')"
	passes build-aux/fn-length
}

@test "the excuse of a long function is not the next one's" {
	c_file base/a.c '/* long: one row per exit */' \
		"$(function_of 61 'g();')" '' "$(function_of 61 'g();')"
	refuses "base/a.c:65: f() has 61 lines" build-aux/fn-length
}

@test "seven parameters are refused, the error does not count" {
	c_file base/a.c 'int f(int a, int b, int c, int d, int (*e)(int, int),' \
		'      int g, struct err *e)' '{' '}'
	passes build-aux/fn-length
	c_file base/a.c 'int f(int a, int b, int c, int d, int e,' \
		'      int g, int h)' '{' '}'
	refuses "base/a.c:2: f() has 7 parameters" build-aux/fn-length
}

@test "deep nesting is refused, a switch has one level more" {
	c_file base/a.c 'void f(void)' '{' '	for (;;)' '		if (a)' \
		'			return;' '}'
	passes build-aux/fn-length
	c_file base/a.c 'void f(void)' '{' '	for (;;)' '		if (a)' \
		'			if (b)' '				return;' '}'
	refuses "base/a.c:7: f(): nested 4 deep" build-aux/fn-length
	c_file base/a.c 'void f(void)' '{' '	switch (a) {' '	case 1:' \
		'		if (a)' '			if (b)' \
		'				return;' '	}' '}'
	passes build-aux/fn-length
}

@test "wrapped arguments and tables are not nesting" {
	c_file base/a.c 'void f(void)' '{' '	static const struct x t[] = {' \
		'		{' '			{' \
		'				1,' '			},' '		},' \
		'	};' '' '	if (a)' '		g(1,' \
		'				2);' '}'
	passes build-aux/fn-length
}

# --- words --------------------------------------------------------------------
@test "each forbidden call is caught" {
	local word n=0
	for word in strcpy strcat sprintf vsprintf gets strtok atoi atol \
		system popen sleep usleep signal perror alloca rand mkstemp \
		exit dup accept pipe creat epoll_create; do
		c_file base/bad.c 'void f(void)' '{' "	$word(1);" '}'
		refuses "base/bad.c:4: $word: " build-aux/check-words
		n=$((n + 1))
	done
	[[ $n -eq 23 ]]
}

@test "a word in a comment, a string, a name or a member is no call" {
	c_file base/good.c '/* system("x") */' 'void f(void)' '{' \
		'	g("sleep(1)", '"'\"'"', "strcpy(\"");' \
		'	my_system(1);' '	ops->exit(1);' '	ops.dup(1);' \
		'	_exit(1);' '	/*' '	 * exit(1)' '	 */' '}'
	passes build-aux/check-words
}

@test "an exception needs its word and a reason" {
	c_file base/a.c 'void f(void)' '{' \
		'	/* allow usleep: the device is polled */' \
		'	usleep(1);' '}'
	passes build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '	/* allow usleep: */' \
		'	usleep(1);' '}'
	refuses "base/a.c:5: usleep" build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '	/* allow sleep: polled */' \
		'	usleep(1);' '}'
	refuses "base/a.c:5: usleep" build-aux/check-words
}

@test "each descriptor that is not close-on-exec is caught" {
	local call flag n=0
	while read -r call flag; do
		c_file base/bad.c 'void f(void)' '{' "	${call/@/0}" '}'
		refuses "base/bad.c:4: ${call%%(*}: without" \
			build-aux/check-words
		# The right flag on the next line, and all is well.
		c_file base/bad.c 'void f(void)' '{' \
			"	${call%@*}" "		$flag${call#*@}" '}'
		passes build-aux/check-words
		n=$((n + 1))
	done <<-'END'
		open("x",@); O_CLOEXEC
		openat(d,p,@); O_RDONLY|O_CLOEXEC
		socket(1,2|@,0); SOCK_CLOEXEC
		socketpair(1,2|@,0,p); SOCK_CLOEXEC
		accept4(s,0,0,@); SOCK_CLOEXEC
		pipe2(p,@); O_CLOEXEC
		epoll_create1(@); EPOLL_CLOEXEC
		eventfd(0,@); EFD_CLOEXEC
		signalfd(-1,&s,@); SFD_CLOEXEC
		timerfd_create(1,@); TFD_CLOEXEC
		memfd_create("x",@); MFD_CLOEXEC
		open_tree(d,p,@); OPEN_TREE_CLOEXEC
		fsopen("x",@); FSOPEN_CLOEXEC
		fsmount(d,@,0); FSMOUNT_CLOEXEC
		recvmsg(s,&m,@); MSG_CMSG_CLOEXEC
		fopen(p,@"r"); "re"+
	END
	[[ $n -eq 16 ]]
}

@test "dup2 and an inherited descriptor need a comment" {
	c_file base/a.c 'void f(void)' '{' '	dup2(a, 1);' '}'
	refuses "base/a.c:4: dup2" build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '	/* the child'"'"'s stdout */' \
		'	dup2(a, 1);' '}'
	passes build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '	/* programs inherit it */' \
		'	open("/dev/null", O_RDWR);' '}'
	passes build-aux/check-words
}

@test "F_DUPFD and openat2 without close-on-exec are caught" {
	c_file base/a.c 'void f(void)' '{' '	fcntl(a, F_DUPFD, 3);' '}'
	refuses "base/a.c:4: F_DUPFD" build-aux/check-words
	c_file base/a.c 'void f(void)' '{' \
		'	struct open_how h = { .flags = O_PATH };' '}'
	refuses "base/a.c:4: open_how: without O_CLOEXEC" \
		build-aux/check-words
}

@test "goto leads to undo only" {
	c_file base/a.c 'void f(void)' '{' '	goto undo;' 'undo:' '}'
	passes build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '	goto out;' 'out:' '}'
	refuses "base/a.c:4: goto" build-aux/check-words
}

@test "exit belongs to the main files of src/cli" {
	c_file src/cli/main_oci.c 'int main(void)' '{' '	exit(1);' '}'
	passes build-aux/check-words
	c_file src/cli/kill.c 'int f(void)' '{' '	exit(1);' '}'
	refuses "src/cli/kill.c:4: exit" build-aux/check-words
}

@test "typedefs of structs, // comments, #if in functions are refused" {
	c_file base/a.c 'typedef struct x x_t;'
	refuses "base/a.c:2: typedef" build-aux/check-words
	c_file base/a.c 'typedef int (*step_fn)(struct x *);'
	passes build-aux/check-words
	c_file base/a.c 'int x; // why'
	refuses "base/a.c:2: //" build-aux/check-words
	c_file base/a.c 'const char *x = "http://x"; /* http://x */'
	passes build-aux/check-words
	c_file base/a.c 'void f(void)' '{' '#ifdef X' '#endif' '}'
	refuses "base/a.c:4: #if" build-aux/check-words
}

@test "what is left to do names its issue" {
	c_file base/a.c '/* TODO(#12): two queues */'
	passes build-aux/check-words
	c_file base/a.c '/* TODO: two queues */'
	refuses "base/a.c:2: TODO" build-aux/check-words
	c_file base/a.c '/* XXX */'
	refuses "base/a.c:2: XXX" build-aux/check-words
}

@test "a test that sleeps is refused" {
	put tests/bats/a.bats '#!/usr/bin/env bats' '	sleep 1'
	refuses "tests/bats/a.bats:2: sleep" build-aux/check-words
	put tests/bats/a.bats '	moat run host sleep 1'
	passes build-aux/check-words
}

# --- files --------------------------------------------------------------------
@test "a file without the licence's line is refused" {
	put base/a.c 'int x;'
	refuses "base/a.c:1: no SPDX" build-aux/check-files
	rm base/a.c
	put tool '#!/bin/sh' 'set -e'
	refuses "tool:1: no SPDX" build-aux/check-files
}

@test "a header has #pragma once and says what it is for" {
	put base/a.h '/* SPDX-License-Identifier: Apache-2.0 */' '/* x */'
	refuses "base/a.h:2: a header has #pragma once" build-aux/check-files
	put base/a.h '/* SPDX-License-Identifier: Apache-2.0 */' \
		'#pragma once' '' '#include <errno.h>'
	refuses "base/a.h:4: a header begins by saying" build-aux/check-files
}

@test "a file has 500 lines, with an excuse 800" {
	c_file base/a.c "$(yes ';' | head -n 499)"
	passes build-aux/check-files
	c_file base/a.c "$(yes ';' | head -n 500)"
	refuses "base/a.c:501: 501 lines" build-aux/check-files
	c_file base/a.c '/* long file: one table */' "$(yes ';' | head -n 700)"
	passes build-aux/check-files
	c_file base/a.c '/* long file: one table */' "$(yes ';' | head -n 800)"
	refuses "base/a.c:802: 802 lines (at most 800)" build-aux/check-files
}

@test "blanks at a line's end and a missing newline are refused" {
	c_file base/a.c 'int x; '
	refuses "base/a.c:2: blank" build-aux/check-files
	printf '/* SPDX-License-Identifier: Apache-2.0 */' >base/a.c
	refuses "base/a.c: no newline" build-aux/check-files
}

# --- symbols ------------------------------------------------------------------
# compiles FILE: to where make would put it
compiles()
{
	mkdir -p "build/$(dirname "$1")"
	gcc -fPIE -c -I. -o "build/${1%.c}.o" "$1"
}

@test "an external symbol carries its folder's prefix" {
	c_file base/a.c 'int fd_good(void) { return 0; }' \
		'static int local(void) { return 0; }' \
		'int (*fd_use)(void);' 'int fd_x(void) { return local(); }'
	sed -i '/fd_use/d' base/a.c
	compiles base/a.c
	passes build-aux/check-symbols
	c_file base/a.c 'int bad(void) { return 0; }'
	compiles base/a.c
	refuses "base/a.c: bad: external symbols here begin with" \
		build-aux/check-symbols
}

@test "a writable variable is refused, a constant table is not" {
	c_file base/a.c 'static int n;' 'int fd_a(void) { return n++; }'
	compiles base/a.c
	refuses "base/a.c: n: a writable variable" build-aux/check-symbols
	c_file base/a.c 'int fd_a(void);' \
		'static int (*const t[])(void) = { fd_a, fd_a };' \
		'int fd_a(void) { return t[0](); }'
	compiles base/a.c
	passes build-aux/check-symbols
	c_file base/log.c 'static int n;' 'int log_a(void) { return n++; }'
	compiles base/log.c
	passes build-aux/check-symbols
}

@test "an object older than its source is not judged" {
	c_file base/a.c 'int bad(void) { return 0; }'
	compiles base/a.c
	touch -d '1 hour' base/a.c
	passes build-aux/check-symbols
}

# --- commits ------------------------------------------------------------------
@test "a good message passes" {
	put msg 'microvm: refuse chains that leave guest memory' '' \
		'A descriptor whose end lies outside RAM was translated.' '' \
		'See https://example.org/a/very/long/address/that/nobody/can/break/into/two'
	passes build-aux/check-commit -f msg
}

@test "bad messages are refused" {
	local subject complaint n=0
	while IFS='|' read -r subject complaint; do
		put msg "$subject" '' 'Because.'
		refuses "$complaint" build-aux/check-commit -f msg
		n=$((n + 1))
	done <<-'END'
		fix virtio bug|the subject is not "area: what
		microvm:refuse chains|the subject is not "area: what
		Microvm: refuse chains|the subject is not "area: what
		microvm: Refuse chains|begins in lower case
		microvm: refuse chains.|without a full stop
		microvm: refuse descriptor chains that leave the guest's memory, and others|(at most 72
	END
	[[ $n -eq 6 ]]
	put msg 'microvm: refuse chains'
	refuses "no body" build-aux/check-commit -f msg
	put msg 'microvm: refuse chains' 'Because.'
	refuses "the second line is not blank" build-aux/check-commit -f msg
	put msg 'microvm: refuse chains' '' \
		"a $(printf 'x%.0s' {1..74})"
	passes build-aux/check-commit -f msg
	put msg 'microvm: refuse chains' '' \
		"a $(printf 'x%.0s' {1..75})"
	refuses "line 3 has 77 columns" build-aux/check-commit -f msg
}

@test "commits are checked from where origin's main is, or all" {
	need git
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a \
		GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q -b main .
	git commit -q --allow-empty -m 'Bad one'
	refuses "the subject is not" build-aux/check-commit
	git update-ref refs/remotes/origin/main HEAD
	passes build-aux/check-commit
	git commit -q --allow-empty -m 'base: good one' -m 'Because.'
	passes build-aux/check-commit
	git commit -q --allow-empty -m 'worse'
	refuses "no body" build-aux/check-commit
	passes build-aux/check-commit HEAD~2..HEAD~1
	git update-ref -d refs/remotes/origin/main
	refuses "the subject is not" build-aux/check-commit
	git checkout -q -b topic
	passes build-aux/check-commit
	git commit -q --allow-empty -m 'worst'
	refuses "no body" build-aux/check-commit
}

# --- tools --------------------------------------------------------------------
@test "a header that does not stand alone is refused" {
	header base/a.h 'size_t a(void);'
	refuses "base/a.h" build-aux/check-headers
	header base/a.h '#include <stddef.h>' '' 'size_t a(void);'
	passes build-aux/check-headers
}

@test "another layout of C is refused" {
	need clang-format
	c_file base/a.c 'int f(void) {' '    return 0;' '}'
	refuses "base/a.c:2:" build-aux/lint format
	build-aux/lint -f
	passes build-aux/lint format
}

@test "a mistake in a script is refused" {
	need shellcheck
	put tool '#!/bin/sh' 'rm $1'
	refuses "tool:2:" build-aux/lint shell
	put tool.bats '#!/usr/bin/env bats' '@test "x" {' '	rm $1' '}'
	rm tool
	refuses "tool.bats:3:" build-aux/lint shell
}

@test "a wait in a test that waits for everything is refused" {
	need shellcheck
	put tool.bats '#!/usr/bin/env bats' '@test "x" {' '	true &' '	wait' '}'
	refuses "tool.bats:4:" build-aux/lint shell
	put tool.bats '#!/usr/bin/env bats' '@test "x" {' '	true &' '	wait $!' '}'
	passes build-aux/lint shell
}

@test "a mistake in a manual page is refused" {
	need groff
	put man/a.1 '.\" SPDX-License-Identifier: Apache-2.0' '.Dd June 1, 2026' \
		'.Dt A 1' '.Os' '.Sh NAME' '.Nm a' '.Nd b' '.Bl -tag' '.Xx'
	refuses "man/a.1:9" build-aux/lint man
}

@test "what passed once is looked at again when it changes" {
	need shellcheck
	mkdir build
	put tool '#!/bin/sh' 'echo "$1"'
	passes build-aux/lint shell
	passes build-aux/lint shell
	put tool '#!/bin/sh' 'echo $1'
	refuses "tool:2:" build-aux/lint shell
	refuses "tool:2:" build-aux/lint shell
}

# --- analysers ----------------------------------------------------------------
analyze_setup()
{
	need clang-tidy
	need cppcheck
	mkdir -p build
	: >build/config.h
	grep '^#' build-aux/analyze.known >known
	mv known build-aux/analyze.known
}

@test "a double free is seen (gcc)" {
	analyze_setup
	c_file base/a.c '#include <stdlib.h>' 'void f(void *p)' '{' \
		'	free(p);' '	free(p);' '}'
	refuses "[-Wanalyzer-double-free]" build-aux/analyze
}

@test "a leaked descriptor is seen (cppcheck)" {
	analyze_setup
	c_file base/a.c '#include <fcntl.h>' 'int f(void)' '{' \
		'	int fd = open("/", O_RDONLY);' \
		'	return fd < 0 ? -1 : 0;' '}'
	refuses "[resourceLeak]" build-aux/analyze
}

@test "a descriptor that closes itself is no leak" {
	analyze_setup
	cp "$source/base/cleanup.h" base
	c_file base/a.c '#include <fcntl.h>' '#include "base/cleanup.h"' \
		'int f(void);' 'int f(void)' '{' \
		'	autoclose int fd = open("/", O_RDONLY);' \
		'	return fd < 0 ? -1 : 0;' '}'
	passes build-aux/analyze
}

@test "what a function returns is no leak" {
	analyze_setup
	c_file base/a.c '#include <fcntl.h>' 'int f(void);' 'int f(void)' '{' \
		'	int fd = open("/", O_RDONLY);' \
		'	return fd < 0' '		? -1 : fd;' '}'
	passes build-aux/analyze
}

@test "accept4 without an address is no fault" {
	analyze_setup
	c_file base/a.c '#include <stddef.h>' \
		'#include <sys/socket.h>' 'int f(int s);' 'int f(int s)' '{' \
		'	return accept4(s, NULL, NULL, SOCK_CLOEXEC);' '}'
	passes build-aux/analyze
}

@test "a knot of branches is seen (clang-tidy)" {
	analyze_setup
	c_file base/a.c 'int f(int a, int b)' '{' \
		'	while (a--) {' '		if (a > b) {' \
		'			while (b--) {' \
		'				if (a || b && a) {' \
		'					while (b--) {' \
		'						a--;' \
		'					}' '				}' \
		'			}' '		}' '	}' '	return a;' '}'
	refuses "[readability-function-cognitive-complexity]" \
		build-aux/analyze
}

@test "what is known is silent, needs a reason, and must still be true" {
	analyze_setup
	c_file base/a.c '#include <stdlib.h>' 'void f(void *p)' '{' \
		'	free(p);' '	free(p);' '}'
	echo 'base/a.c f -Wanalyzer-double-free because' \
		>>build-aux/analyze.known
	run build-aux/analyze
	[[ $output != *"base/a.c:6:"*"[-Wanalyzer-double-free]"* ]]
	echo 'base/gone.c f resourceLeak because' >>build-aux/analyze.known
	refuses "base/gone.c f resourceLeak: no longer said" build-aux/analyze
	echo 'base/gone.c g resourceLeak' >>build-aux/analyze.known
	refuses "no reason given" build-aux/analyze
}

# --- manual -------------------------------------------------------------------
# man_setup: a program with a command and an option each, and their pages
man_setup()
{
	export MOAT_SOURCE=$PWD MOAT_BUILD=$PWD/build
	mkdir -p build
	put build/moat '#!/bin/sh' 'case $1 in' 'run) cat <<END' \
		'usage: moat run' '' 'options:' \
		'  -t, --tty                   a terminal' \
		'      --pids-limit N          at most N processes' \
		'END' ';;' '*) cat <<END' 'usage: moat COMMAND' '' 'commands:' \
		'  run           runs a program' '' 'options:' \
		'      --root DIR              where the state is' 'END' 'esac'
	sed 's/moat/moat-oci/' build/moat >build/moat-oci
	chmod +x build/*
	put man/folder.am 'dist_man_MANS += man/moat.1 man/moat-run.1 man/moat-oci.8'
	put man/moat.1 '.Sh NAME' '.Sh SYNOPSIS' '.Sh DESCRIPTION' \
		'.It Fl -root Ar dir' '.Sh EXIT STATUS' '.Sh EXAMPLES' \
		'.Sh SEE ALSO' '.Xr moat-run 1'
	put man/moat-run.1 '.Sh NAME' '.Sh SYNOPSIS' '.Sh DESCRIPTION' \
		'.It Fl t , Fl -tty' '.It Fl -pids-limit Ar n' \
		'.Sh EXIT STATUS' '.Sh EXAMPLES' '.Sh SEE ALSO'
	put man/moat-oci.8 '.Sh NAME' '.Sh SYNOPSIS' '.Sh DESCRIPTION' \
		'.It Fl -root Ar dir' '.Ss run' '.It Fl t , Fl -tty' \
		'.It Fl -pids-limit Ar n' '.Sh EXIT STATUS' '.Sh SEE ALSO'
}

@test "a manual that says what --help says passes" {
	man_setup
	passes bats "$source/tests/lint/man.bats"
}

@test "an option that the manual forgot is named" {
	man_setup
	sed -i 's/pids-limit/pid-limit/' man/moat-run.1
	refuses "moat run: not in its manual: pids-limit" \
		bats "$source/tests/lint/man.bats"
	[[ $output == *"moat run: only in its manual: pid-limit"* ]]
}

@test "a command's options stand in its own subsection" {
	man_setup
	sed -i 's/^.Ss run/.Ss start/' man/moat-oci.8
	refuses "moat-oci run: no manual" bats "$source/tests/lint/man.bats"
}

@test "a missing section, page or installation is named" {
	man_setup
	sed -i '/EXAMPLES/d; s/moat-run 1/moat-gone 1/' man/moat.1
	put man/folder.am 'dist_man_MANS += man/moat.1 man/moat-oci.8'
	refuses "moat.1: no section EXAMPLES" bats "$source/tests/lint/man.bats"
	[[ $output == *"moat.1: no page moat-gone(1)"* ]]
	[[ $output == *"moat-run.1: not in man/folder.am"* ]]
}

# --- hardening ----------------------------------------------------------------
# hardened FLAG...: the verdict on a program that is built well but for these
hardened()
{
	gcc -O2 -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE \
		-D_FORTIFY_SOURCE=2 -pie -Wl,-z,relro,-z,now,-z,noexecstack \
		-o prog prog.c "$@"
	build-aux/check-hardening prog
}

@test "a program that is not hardened is refused" {
	c_file prog.c '#include <stdio.h>' 'int main(int n, char **v)' '{' \
		'	char s[64];' '	snprintf(s, (size_t)n, "%s", v[0]);' \
		'	return puts(s);' '}'
	passes hardened
	passes hardened -static-pie
	refuses "not position independent" hardened -fno-pie -no-pie
	refuses "no RELRO" hardened -Wl,-z,norelro
	refuses "no -z now" hardened -Wl,-z,lazy
	refuses "writable and executable" hardened -Wl,-z,execstack
	refuses "no stack protector" hardened -fno-stack-protector
	refuses "no FORTIFY" hardened -U_FORTIFY_SOURCE
}

# --- release ------------------------------------------------------------------
@test "a file that the release forgot is named" {
	need git
	git init -q .
	git add -f base
	mkdir -p dist/base
	cp base/util.c base/util.h dist/base
	passes build-aux/check-dist dist
	rm dist/base/util.h
	refuses "base/util.h" build-aux/check-dist dist
}
