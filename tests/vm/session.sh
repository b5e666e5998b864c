# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A session with the test machine: from a saved state to the end of a command.
# Whoever sources this file sources machine.sh first, and then says
#
#	session_open
#	session_share HOST-FOLDER rw|ro FOLDER-INSIDE	as often as needed
#	session_start STATE throw-away|keep		QEMU runs
#	session_ask run SCRIPT				see guest/agent
#	session_wait					status of the command
#
# All of it lies in the folder $session:
#
#	control.in control.out	fifos, the lines of guest/agent
#	monitor.in monitor.out	fifos, QEMU's own command line
#	output			fifo, what the command prints
#	status			its exit status, as text
#	console			what the kernel says
#	pid qemu.log		of QEMU
#	alive			fifo that only this process holds open

# How long the machine may run, 0 for ever; what its console is connected to.
session_seconds=0
session_terminal=null

session_open()
{
	session=$(mktemp -d "$vm_cache/session.XXXXXX") ||
		vm_die "cannot make a folder in '$vm_cache'"
	mkdir "$session/nothing"
	mkfifo "$session"/{alive,output} \
		"$session"/{control,monitor}.{in,out}
	: >"$session/status"
	session_shares=()
	session_reaper
	# Read and write: neither side waits for the other to open.
	exec {session_control}<>"$session/control.in" \
		{session_answer}<>"$session/control.out" \
		{session_monitor}<>"$session/monitor.in" \
		{session_monitor_out}<>"$session/monitor.out"
}

# However this process ends, kill -9 included, nothing stays behind: a process
# in a session of its own waits until nobody holds "alive" open any more, ends
# QEMU and removes the folder.
session_reaper()
{
	# shellcheck disable=SC2016 # read by the inner shell
	setsid bash -c '
		trap "" INT TERM HUP
		read -r _ <"$1/alive"
		pid=$(cat "$1/pid" 2>/dev/null)
		if grep -qsF "$1" "/proc/${pid:-none}/cmdline"; then
			kill -9 "$pid"
		fi
		rm -rf "$1"' reaper "$session" </dev/null >/dev/null 2>&1 &
	exec {session_alive}>"$session/alive"
}

session_share() # HOST-FOLDER MODE FOLDER-INSIDE
{
	[ "${#session_shares[@]}" -lt "$vm_shares" ] ||
		vm_die "more than $vm_shares folders to share"
	[ -d "$1" ] || vm_die "'$1' is not a folder"
	session_shares+=("$1" "$2" "$3")
}

# What lies behind the devices of vm_devices, one argument to a line.
# With throw-away, memory and disk start as saved and every write is lost;
# with keep, writes go to the files of STATE.
session_backends() # STATE throw-away|keep
{
	local share=off snapshot=on i path mode

	if [ "$2" = keep ]; then
		share=on
		snapshot=off
	fi
	printf '%s\n' \
		-pidfile "$session/pid" -serial "file:$session/console" \
		-append "$(<"$1/parameters")" \
		-object "memory-backend-file,id=memory,size=$vm_memory,mem-path=$1/ram,share=$share" \
		-drive "id=disk,if=none,file=$1/disk.qcow2,format=qcow2,cache=unsafe,snapshot=$snapshot" \
		-chardev "$session_terminal,id=terminal" \
		-chardev "pipe,id=control,path=$session/control" \
		-chardev "file,id=output,path=$session/output" \
		-chardev "file,id=status,path=$session/status" \
		-chardev "pipe,id=monitor,path=$session/monitor" \
		-mon chardev=monitor,mode=readline
	for ((i = 0; i < vm_shares; i++)); do
		path=${session_shares[i * 3]:-$session/nothing}
		path=${path//,/,,}
		mode=
		[ "${session_shares[i * 3 + 1]:-rw}" = rw ] || mode=,readonly=on
		printf '%s\n' -fsdev "local,id=share$i,path=$path,security_model=none,multidevs=remap$mode"
	done
}

# One host thread serves both CPUs: measured faster than one thread each, and
# leaves the other core to a second machine. Not where KVM runs inside: that
# thread is interrupted every 100 ms for the CPUs to take turns, and QEMU 7.2
# (helper_vmrun leaves exception_index set) then delivers the interrupt that
# was injected last once more, into code that has interrupts off. A third of
# the guests hang in a spinlock that their own CPU holds.
#
# A thread each loses an interrupt between CPUs now and then when the host is
# busy, and both wait for each other for ever; one CPU sends none. So the
# machine for KVM has switched off its second one.
session_threads() # STATE
{
	case ${1##*/} in
	kvm*) echo multi ;;
	*) echo single ;;
	esac
}

# The state of STATE is resumed if there is one; otherwise the machine boots.
session_start() # STATE throw-away|keep
{
	local arguments

	mapfile -t arguments < <(
		vm_devices "$(session_threads "$1")"
		session_backends "$1" "$2"
		[ ! -e "$1/state" ] || printf '%s\n' -incoming defer
	)
	if [ -e "$1/state" ]; then
		session_monitor "migrate_set_capability x-ignore-shared on" \
			"migrate_incoming \"exec:cat '$1/state'\""
	fi
	cat "$session/output" {session_alive}>&- &
	session_cat=$!
	TMPDIR=$session timeout --foreground -k 5 "$session_seconds" \
		qemu-system-x86_64 "${arguments[@]}" 2>"$session/qemu.log" \
		{session_alive}>&- {session_control}>&- {session_answer}>&- \
		{session_monitor}>&- {session_monitor_out}>&- <&0 &
	session_qemu=$!
}

session_monitor()
{
	printf '%s\n' "$@" >&"$session_monitor"
}

# Asks the agent for SCRIPT; the LINEs go before it. In the background, for a
# long script fills the fifo until QEMU reads it.
session_ask() # VERB SCRIPT LINE...
{
	local verb=$1 script=$2 i

	shift 2
	{
		echo "date $(date +%s)"
		for ((i = 0; i * 3 < ${#session_shares[@]}; i++)); do
			echo "share share$i ${session_shares[i * 3 + 1]}" \
				"${session_shares[i * 3 + 2]}"
		done
		[ $# -eq 0 ] || printf '%s\n' "$@"
		echo "script $(base64 -w 0 <<<"$script")"
		echo "$verb"
	} >"$session/control.in" {session_alive}>&- &
}

# Until the agent says that it is ready; not when resumed, for then it said so
# before its state was saved.
session_wait_ready()
{
	read -r -t 300 _ <&"$session_answer" ||
		session_explain "the machine does not come up"
}

# What the machine's end looked like, for somebody who has to find out why.
session_explain()
{
	cat "$session/qemu.log" >&2
	tail -n 15 "$session/console" | tr -d '\r' >&2
	vm_die "$@"
}

# Ends with the command's exit status; 124 when the time was over, 125 when
# the machine failed.
session_wait()
{
	local qemu_status status unblock

	wait "$session_qemu"
	qemu_status=$?
	# If QEMU never opened the fifo, cat waits for it still.
	exec {unblock}<>"$session/output"
	exec {unblock}>&-
	wait "$session_cat"
	status=$(<"$session/status")
	[ -z "$status" ] || return "$status"
	case $qemu_status in
	124 | 137)
		vm_say "time over after $session_seconds s"
		return 124
		;;
	esac
	session_explain "the machine ended without a status" \
		"(QEMU's own: $qemu_status)"
}
