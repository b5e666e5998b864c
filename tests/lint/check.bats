#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What ./check counts: no failure gets lost, no skip goes unsaid.

setup()
{
	check=$BATS_TEST_DIRNAME/../check
	dir=$BATS_TEST_TMPDIR/check
	mkdir -p "$dir/native" "$dir/machine"
}

tap() # FILE LINE...
{
	mkdir -p "$(dirname "$dir/$1")"
	printf "%s\n" "${@:2}" >"$dir/$1.tap"
}

summary()
{
	run "$check/summary" "$dir"
	last=${lines[${#lines[@]} - 1]}
}

@test "passed, failed and skipped tests are counted" {
	tap native/a 1..3 'ok 1 - good' 'not ok 2 - bad' 'ok 3 c # SKIP no root'
	tap native/b 1..1 'ok 1 number # 7 is skipped by nobody'
	summary
	[[ $status -eq 1 ]]
	[[ $last == "2 passed, 1 failed, 1 skipped" ]]
	[[ $output == *"failed: native/a: bad"* ]]
	[[ $output == *"skipped 1 of native/a: no root"* ]]
}

@test "a run without a failure succeeds" {
	tap native/a 1..2 'ok 1 - good' 'ok 2 other # skip needs kvm'
	summary
	[[ $status -eq 0 ]]
	[[ $last == "1 passed, 0 failed, 1 skipped" ]]
}

@test "nothing at all is not a success" {
	summary
	[[ $status -ne 0 ]]
	[[ $last == "0 passed, 0 failed, 0 skipped" ]]
}

@test "a file that ends early is a failure" {
	tap native/a 1..3 'ok 1 - good'
	tap native/b 'ok 1 - good'
	tap native/c
	summary
	[[ $status -ne 0 ]]
	[[ $last == "2 passed, 3 failed, 0 skipped" ]]
	[[ $output == *"native/a: ended after 1 of 3 tests"* ]]
	[[ $output == *"native/b: ended without a plan"* ]]
	[[ $output == *"native/c: ended without a plan"* ]]
}

@test "a file that skips all is skipped with its reason" {
	tap native/a '1..0 # SKIP no compiler'
	tap native/b 1..1 'ok 1 - good'
	summary
	[[ $status -eq 0 ]]
	[[ $output == *"skipped 1 of native/a: no compiler"* ]]
}

@test "in the machine a skip is a failure unless it is known" {
	tap machine/x/a.bats 1..2 'ok 1 one # skip no kvm' 'ok 2 two # skip why'
	printf '# %s\n%s\t%s\n' 'a comment' 'x/a.bats: two' 'the reason' \
		>"$BATS_TEST_TMPDIR/known"
	run awk -v strict="$BATS_TEST_TMPDIR/known" -f "$check/tap.awk" \
		"$dir/machine/x/a.bats.tap"
	[[ ${#lines[@]} -eq 2 ]]
	[[ ${lines[0]} == "fail	machine/x/a.bats	one	skipped: no kvm" ]]
	[[ ${lines[1]} == "skip	machine/x/a.bats	two	why" ]]
	summary
	[[ $last == "0 passed, 2 failed, 0 skipped" ]]
}

@test "the head of a bats file says where it runs" {
	mkdir -p "$BATS_TEST_TMPDIR/tests/check" "$BATS_TEST_TMPDIR/tests/unit" \
		"$BATS_TEST_TMPDIR/tests/bats/x"
	cp "$check/list" "$BATS_TEST_TMPDIR/tests/check"
	cd "$BATS_TEST_TMPDIR/tests/bats/x"
	echo '# runs: machine' >inside.bats
	echo '# runs: native' >here.bats
	printf '# both\n\nload it\n# runs: native\n' >both.bats

	[[ $(../../check/list native x) == "x/both.bats
x/here.bats" ]]
	[[ $(../../check/list machine x) == "x/both.bats
x/inside.bats" ]]
	[[ $(../../check/list machine x/both y) == x/both.bats ]]
	[[ -z $(../../check/list machine y) ]]
	: >../../unit/y-file.c
	[[ $(../../check/list machine y) == unit ]]
	printf '# runs: machine\n# snapshot: kvm\n' >long.bats
	[[ $(../../check/list machine x) == "x/long.bats
x/both.bats
x/inside.bats" ]]
}

@test "every package of the table has a name for every package manager" {
	run awk -F '\t' '!/^#/ && NF && NF != 5' \
		"$BATS_TEST_DIRNAME/../../build-aux/dependencies"
	[[ -z $output ]]
}
