# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2317 # names that are the script's
#
# What tests of the whole share: a spawner and a dmuserd of their own, in a run directory of their own, from
# the stage of $build. Sourced after tests/lib.sh with build and tree set, never run.

[[ -n ${DMUSER_VM-} ]] || { echo "$0: only in a VM" >&2 && exit 2; }
stage=$build/stage
libexec=$stage/usr/lib/dmuser
work=$(mktemp -d /tmp/dmuser-attack.XXXXXX)
run=$work/run
export DMUSER_ADDRESS=$run/io.dmuser DMUSER_RUN_DIR=$run
PATH=$stage/usr/bin:$stage/usr/sbin:$build/tests/attack:$PATH
[[ -x $stage/usr/sbin/dmuserd ]] || { echo "$0: nothing in $stage" >&2 && exit 2; }
mkdir -m 755 "$run"

# start_dmuserd [OPTION…]: until it answers.
start_dmuserd() {
	# Time enough for a child to be halted until all are.
	dmuserd --set "run_dir=$run" --set worker_start_timeout_ms=300000 --set "libexec_dir=$libexec" "$@" \
		</dev/null >>"$work/log" 2>&1 &
	echo $! >"$work/pid"
	disown
	within 60 dmuserctl ping
}

dmuserd_pid() {
	echo "$(<"$work/pid")"
}

is_over() {
	! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}

kill_dmuserd() {
	local pid
	pid=$(dmuserd_pid)
	kill -KILL "$pid"
	within 20 is_over "$pid"
}

# Once a test is over that may have failed: the next one finds a dmuserd that answers, and no volume.
recover() {
	! is_over "$(dmuserd_pid)" || start_dmuserd
	dmuserctl --json list | jq -r '.volumes[].name' | xargs -rn1 dmuserctl release --force --timeout 20s >/dev/null
}

clean_up() {
	kill -KILL "$(dmuserd_pid)"
	echo 1 >/sys/fs/cgroup/dmuser/cgroup.kill
	rm -rf "$work"
} 2>/dev/null
trap clean_up EXIT

# create [NAME [OPTION…]]: of 1 MiB in memory, if nothing else is said.
create() {
	dmuserctl --timeout 60s create "${1-victim}" --size 1M --backend memory "${@:2}"
}

field() {
	dmuserctl --json show "$1" | jq -r ".volume.$2"
}

is_state() {
	[[ $(field "$1" state) == "$2" ]]
}

nothing_left() {
	within 20 "$tree/packaging/left-behind" || { "$tree/packaging/left-behind" && return 1; }
}

# release NAME…: the last ones there are.
release() {
	local name
	for name in "$@"; do
		dmuserctl release "$name"
	done
	nothing_left
}

# Somebody else's volume goes on as ever.
serves() {
	is_state "$1" active
	dd if=/dev/urandom of="$(field "$1" device)" bs=64k count=16 oflag=direct status=none
}

spawner_pid() {
	cat /sys/fs/cgroup/dmuser/_spawner/cgroup.procs
}

# Pids of workers, whatever they are at. A group that goes meanwhile is no failure.
worker_pids() {
	find /sys/fs/cgroup/dmuser -name cgroup.procs ! -path '*/*parsers/*' ! -path '*/_spawner/*' \
		-exec cat {} + 2>/dev/null || true
}

# Where the groups are not, nothing could be seen.
no_worker() {
	[[ -d /sys/fs/cgroup/dmuser/_spawner && -z $(worker_pids) ]]
}

# try SENTENCE COMMAND…: if the sentence has the pattern.
try() {
	local failed=$checks_failed
	[[ $1 == *"${pattern-}"* ]] || return 0
	check "$@"
	rm -f "$run"/test-*-step
	((checks_failed == failed)) || recover
}
