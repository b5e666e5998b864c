#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# log_daemons: messages go to the journal or to syslog, under a name
#
# runs: machine

load ../lib/common

setup()
{
	need_root
	need_systemd
	need_program journalctl
}

journal() # MATCH...
{
	journalctl --quiet --no-pager --output cat "$@"
}

has() # WORDS MATCH...
{
	journal "${@:2}" | grep -qF "$1"
}

@test "the journal has an error, with its level and under our name" {
	moat_oci_fails --log "journald:$test_id" state nobody
	[[ $output == *"container 'nobody' does not exist"* ]]
	wait_for 20 has "container 'nobody' does not exist" -t "$test_id" -p 3
	moat_oci_fails --log "journald:$test_id" state $'no\nPRIORITY=0'
	wait_for 20 has "PRIORITY=0" -t "$test_id" -p 3
	[[ -z $(journal -t "$test_id" -p 2) ]]
}

@test "so has syslog" {
	moat_oci_fails --log "syslog:$test_id" state nobody
	wait_for 20 has "container 'nobody' does not exist" -t "$test_id" -p 3
}

@test "a file may be named like a daemon" {
	(
		cd "$BATS_TEST_TMPDIR"
		moat_oci_fails --log "file:journald:x" state nobody
		grep -q nobody "journald:x"
	)
}

@test "a name that is none, and a daemon that is not there, are errors" {
	moat_oci_fails --log journald: list
	[[ $output == *"log 'journald:': no identifier"* ]]
	systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service 2>/dev/null
	rm -f /run/systemd/journal/socket
	moat_oci_fails --log journald:x list
	[[ $output == *"log 'journald:x': connect to '/run/systemd/journal/socket': "* ]]
}
