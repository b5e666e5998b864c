# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The words that all bats tests share: load ../lib/common
#
# A test file is tests/bats/AREA/FEATURE.bats. Where it runs is said by a line
# in its head, "# runs: native machine" if there is none:
#
#	# runs: native machine	here, and in the test machine (tests/vm)
#	# runs: machine		only in the machine
#	# runs: native		only here
#	# snapshot: kvm		from which state of the machine (base)
#
# Natively a need_... that is not met skips the test and says why; in the
# machine a skip is a failure (tests/vm/known-skips has the exceptions), and
# with TEST_STRICT=1 it is one everywhere.

#
# What every test does forks little: in the machine a fork costs 10 ms.

MOAT_SOURCE=${MOAT_SOURCE:-$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)}
MOAT_BUILD=${MOAT_BUILD:-$MOAT_SOURCE/build}
export MOAT_SOURCE MOAT_BUILD
# Where the tests' own programs are; what is tested may be installed elsewhere.
MOAT_HELPERS=${MOAT_HELPERS:-$MOAT_BUILD}

# In the name of whatever a test makes outside $BATS_TEST_TMPDIR (containers,
# cgroups, links), so that it does not meet another test's, and is found
# afterwards. Short, for the names of links are.
test_id=t$$x${BATS_TEST_NUMBER:-0}

unique() # NAME
{
	echo "$1-$test_id"
}

# --- what a test needs -------------------------------------------------------

skip_or_fail() # REASON...
{
	if [ "${TEST_STRICT:-0}" = 0 ]; then
		skip "$*"
	fi
	echo "not to be skipped (TEST_STRICT): $*" >&2
	return 1
}

need_root()
{
	[ "$EUID" -eq 0 ] || skip_or_fail "needs root"
}

need_machine()
{
	[ -n "${MOAT_TEST_MACHINE:-}" ] ||
		skip_or_fail "needs the test machine (tests/vm/run)"
}

# What micro-VMs boot.
need_kernel()
{
	compgen -G '/boot/vmlinuz-*' >/dev/null ||
		skip_or_fail "needs a kernel in /boot"
}

need_program() # NAME...
{
	local name

	for name; do
		command -v "$name" >/dev/null || skip_or_fail "needs $name"
	done
}

# The v2 hierarchy at its usual place, with these controllers.
need_cgroup2() # CONTROLLER...
{
	local name have

	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] ||
		skip_or_fail "needs cgroup v2 at /sys/fs/cgroup"
	have=" $(cat /sys/fs/cgroup/cgroup.controllers) "
	for name; do
		[[ $have == *" $name "* ]] ||
			skip_or_fail "needs the $name controller on cgroup v2"
	done
}

# A controller in either hierarchy.
need_controller() # NAME
{
	grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers ||
		[ -d "/sys/fs/cgroup/$1" ] ||
		skip_or_fail "needs the $1 controller"
}

need_systemd()
{
	[ -d /run/systemd/system ] || skip_or_fail "needs systemd"
}

need_apparmor()
{
	grep -qsx Y /sys/module/apparmor/parameters/enabled ||
		skip_or_fail "needs AppArmor"
}

# A KVM that boots a distribution's kernel: by hardware, or what looks so from
# inside. Others (kvm_pvm) run guests, but not those in useful time.
need_kvm()
{
	[ -d /sys/module/kvm_intel ] || [ -d /sys/module/kvm_amd ] ||
		skip_or_fail "needs KVM with hardware virtualization"
	[ -w /dev/kvm ] || skip_or_fail "needs access to /dev/kvm"
}

# A feature of the kernel that may be a module.
need_module() # NAME...
{
	local name

	for name; do
		[ -d "/sys/module/${name//-/_}" ] || modprobe -q "$name" ||
			skip_or_fail "needs the kernel's $name"
	done
}

# --- waiting -----------------------------------------------------------------

# wait_for SECONDS COMMAND...: until COMMAND succeeds. The seconds are those of
# a real machine; an emulated one gets more.
wait_for()
{
	local what end=$((SECONDS + $1 * ${MOAT_TEST_PATIENCE:-1}))

	shift
	what="$*"
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "waited in vain for: $what" >&2
			return 1
		fi
		read -r -t 0.05 _ <> <(:) || :
	done
}

# --- the programs ------------------------------------------------------------

# Starts in a third of jq's time.
if type -P gojq >/dev/null; then
	jq()
	{
		gojq "$@"
	}
fi

moat()
{
	"$MOAT_BUILD/moat" --root "$BATS_TEST_TMPDIR/store" \
		--state "$BATS_TEST_TMPDIR/state" "$@"
}

moat_oci()
{
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" "$@"
}

# The command must fail; $status and $output are for the test to look at.
moat_fails()
{
	run moat "$@"
	fails_if_ok "moat $*"
}

moat_oci_fails()
{
	run moat_oci "$@"
	fails_if_ok "moat-oci $*"
}

fails_if_ok()
{
	if [ "$status" -eq 0 ]; then
		printf '%s\n' "should have failed: $1" "$output" >&2
		return 1
	fi
}

# --- afterwards --------------------------------------------------------------

# For a file that needs no more. One that defines its own calls
# remove_leftovers last.
teardown()
{
	remove_leftovers
}

# Whatever the test left, in the order in which things hold each other.
remove_leftovers()
{
	remove_containers
	"$MOAT_HELPERS/tests/bats/lib/sweep" "$BATS_TEST_TMPDIR" "$test_id"
}

remove_containers()
{
	local dir id

	for dir in "$BATS_TEST_TMPDIR"/oci/*; do
		[ ! -d "$dir" ] || moat_oci delete --force "${dir##*/}"
	done
	[ ! -d "$BATS_TEST_TMPDIR/state" ] ||
		for id in $(moat ps --all --quiet); do
			moat rm --force "$id"
		done
} >/dev/null 2>&1
