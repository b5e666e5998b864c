#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run: the same command behaves the same in a container and in a micro-VM
#
# One file, run twice: its name, or that of the link vm.bats, is the isolation.
#
# runs: native machine
# snapshot: kvm

load ../lib/common

setup()
{
	need_root
	isolation=$(basename "$BATS_TEST_FILENAME" .bats)
	[[ $isolation != vm ]] || need_kernel
}

run_host() # [OPTION...] host COMMAND...
{
	moat run --rm --isolation "$isolation" "$@"
}

# Without what moat itself has to say, such as which monitor it took.
out_of_host()
{
	run_host "$@" 2>/dev/null
}

@test "the exit status is the program's" {
	run run_host host sh -c 'exit 37'
	[[ $status -eq 37 ]]
	run run_host host true
	[[ $status -eq 0 ]]
}

@test "a program that a signal kills ends with 128 and the signal" {
	run run_host host sh -c 'sh -c "kill -KILL \$\$"'
	[[ $status -eq 137 ]]
}

@test "a program that is not there ends with 127, one that may not be run with 126" {
	run run_host host /no/such/program
	[[ $status -eq 127 ]]
	[[ $output == *"/no/such/program"* ]]
	run run_host host no-such-program
	[[ $status -eq 127 ]]
	run run_host host /etc/passwd
	[[ $status -eq 126 ]]
}

@test "output and errors stay apart" {
	run_host host sh -c 'echo out; echo err >&2' \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	[[ $(cat "$BATS_TEST_TMPDIR/out") == out ]]
	grep -qx err "$BATS_TEST_TMPDIR/err"
}

@test "three megabytes pass through stdin and stdout unchanged" {
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	run_host -i host cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "without -i the program reads nothing" {
	[[ $(echo unseen | run_host host cat) == "" ]]
}

@test "the kernel is the host's in a container, and its own in a micro-VM" {
	local ours

	ours=$(cat /proc/sys/kernel/random/boot_id)
	run out_of_host host cat /proc/sys/kernel/random/boot_id
	[[ $status -eq 0 ]]
	if [[ $isolation == vm ]]; then
		[[ $output != "$ours" ]]
	else
		[[ $output == "$ours" ]]
	fi
}

@test "arguments arrive as they were given" {
	# shellcheck disable=SC2016 # nobody may expand it
	run out_of_host host printf '[%s]' 'a b' '' "it's" '$HOME' '*'
	[[ $output == "[a b][][it's][\$HOME][*]" ]]
}

@test "what follows the image is the program's, with -- or without" {
	[[ $(out_of_host host -- echo -n --rm) == "--rm" ]]
	[[ $(out_of_host host echo -- x) == "-- x" ]]
}

@test "the environment is what was said, and little else" {
	run out_of_host --env A=1 --env 'B=x y' --env PATH=/bin host env
	[[ $output == *"A=1"* ]]
	[[ $output == *"B=x y"* ]]
	[[ $output == *"PATH=/bin"* ]]
	[[ $output == *"container=moat"* ]]
	[[ $output != *BATS_* ]]
}

@test "workdir, user and hostname are the ones asked for" {
	run out_of_host --workdir /usr/bin --user 12:34 --hostname inside \
		host sh -c 'pwd; id -u; id -g; uname -n'
	[[ $output == $'/usr/bin\n12\n34\ninside' ]]
	run out_of_host --user nobody host id -un
	[[ $output == nobody ]]
	moat_fails run --rm --isolation "$isolation" --user no-such-user host true
	[[ $output == *"no user 'no-such-user'"* ]]
}

@test "the host sees nothing of what was written" {
	local name=/moat-test-$test_id

	run_host host sh -c "echo x >$name && test -s $name && rm /etc/passwd && ! test -e /etc/passwd"
	[[ ! -e $name ]]
	[[ -s /etc/passwd ]]
}

@test "its processes are its own" {
	run out_of_host host sh -c 'ls -d /proc/[0-9]* | wc -l'
	[[ $status -eq 0 ]]
	# The shell, ls, wc; in a container of few processes, nobody else.
	[[ $isolation == vm || $output -le 5 ]]
	# shellcheck disable=SC2016
	run out_of_host host sh -c 'echo $$'
	[[ $output == 1 ]]
}

@test "the network is lo alone" {
	run out_of_host host ls /sys/class/net
	[[ $output == lo ]]
}

@test "the terminal is one, of the size of ours" {
	need_program script
	run script -qec "stty rows 33 cols 77; '$MOAT_BUILD/moat' \
		--root '$BATS_TEST_TMPDIR/store' --state '$BATS_TEST_TMPDIR/state' \
		run --rm --isolation $isolation -it host sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size; exit 5'" \
		/dev/null </dev/null
	[[ $status -eq 5 ]]
	[[ $output == *$'33 77\r'* ]]
}

@test "signals reach the program" {
	local pid=

	run_host host sh -c 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.1; done' \
		>"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_for 60 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM "$(pgrep -P "$pid" -x moat || echo "$pid")"
	wait "$pid" || status=$?
	[[ $status -eq 9 ]]
	grep -qx caught "$BATS_TEST_TMPDIR/out"
}

@test "a limit on processes holds" {
	need_controller pids
	# shellcheck disable=SC2016
	run run_host --pids-limit 20 host sh -c '
		i=0; while [ $i -lt 40 ]; do sleep 30 & i=$((i + 1)); done; echo all'
	[[ $output != *$'\nall' && $output != all ]]
}

@test "with --read-only nothing is written to the root" {
	run run_host --read-only host sh -c 'echo x >/new'
	[[ $status -ne 0 ]]
	[[ $output == *"Read-only file system"* ]]
	[[ $(out_of_host host sh -c 'echo x >/new; cat /new') == x ]]
}

@test "volumes are seen with their owners, and written if they may be" {
	local dir=$BATS_TEST_TMPDIR/vol

	mkdir "$dir"
	echo kept >"$dir/file"
	chown 12:34 "$dir/file"
	run out_of_host -v "$dir:/mnt/rw" --volume "$dir:/mnt/ro:ro" host sh -c '
		stat -c %u:%g /mnt/ro/file; cat /mnt/rw/file
		echo new >/mnt/rw/new; echo x >/mnt/ro/x; echo $?'
	[[ ${lines[0]} == 12:34 && ${lines[1]} == kept && ${lines[-1]} != 0 ]]
	[[ $(cat "$dir/new") == new && ! -e $dir/x ]]
}

@test "a volume that cannot be is named" {
	for volume in name:/x /no/such:/x /etc:x /etc:/x:maybe /etc; do
		moat_fails run --rm --isolation "$isolation" -v "$volume" host true
		[[ $output == *"--volume '$volume'"* ]]
	done
}

@test "capabilities are added and dropped by name, or all" {
	local see='grep CapBnd /proc/self/status'

	# shellcheck disable=SC2086 # words
	[[ $(out_of_host --cap-drop all --cap-add chown host $see) == *0000000000000001 ]]
	# The usual ones are 800405fb.
	# shellcheck disable=SC2086
	[[ $(out_of_host --cap-add CAP_NET_RAW --cap-drop setuid host $see) == *000000008004257b ]]
	moat_fails run --rm --isolation "$isolation" --cap-add no_such host true
	[[ $output == *"--cap-add: no capability 'no_such'"* ]]
	moat_fails run --rm --isolation "$isolation" --cap-add kill --cap-drop kill host true
	[[ $output == *"both added and dropped"* ]]
}

@test "a capability that is added opens the system calls that are for it" {
	run run_host host dmesg -S
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]]
	run run_host --cap-add syslog host sh -c 'dmesg -S >/dev/null && echo read'
	[[ $status -eq 0 && $output == *read ]]
	run run_host --cap-add syslog host mount -t tmpfs none /mnt
	[[ $status -ne 0 ]]
	run run_host --cap-add sys_admin host sh -c '
		mount -t tmpfs none /mnt && grep -c " /mnt tmpfs " /proc/mounts'
	[[ $status -eq 0 && ${lines[-1]} == 1 ]]
}

@test "nothing is left behind" {
	run_host host true
	run moat ps --all --quiet
	[[ $output == "" ]]
	[[ -z $(ls -A "$BATS_TEST_TMPDIR/store/environments") ]]
	run grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo
	[[ $output == 0 ]]
}
