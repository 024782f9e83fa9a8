# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2154,SC2034,SC2119,SC2120,SC2016 # names that are the script's; sh -c with arguments
#
# What scripts share that run all of dmuser: one dmuserd, installed into the VM's own /, containers, events,
# and a look for leaks after every test. Sourced after tests/lib.sh, never run.
#
# A test runs in a subshell (see check), so what must outlive it lies in files below $work.

[[ -n ${DMUSER_VM-} ]] || {
	echo "$0: it changes this machine's /; run it in a VM: tests/vm/run -- $0" >&2
	exit 2
}
work=$(mktemp -d /tmp/dmuser-test.XXXXXX)
chmod 755 "$work"
readonly work
readonly only=${1-}
runtime=crun
serial=0
monitor=

# What does not depend on the runtime is tried with one on each kernel; with DMUSER_FULL=1, with both on each.
runtimes() {
	if [[ ${DMUSER_FULL-} == 1 ]]; then
		echo crun runc
	elif [[ $DMUSER_VM == 6.1 ]]; then
		echo runc
	else
		echo crun
	fi
}

# dmuserd and the spawner

install_dmuser() {
	cp -a "$build/stage/." /
}

# start_dmuserd [OPTION…]: until it answers. It inherits nothing, and is not this shell's to end.
start_dmuserd() {
	end_watch
	dmuserd "$@" </dev/null >>"$work/dmuserd.log" 2>&1 &
	echo $! >"$work/dmuserd.pid"
	disown
	within 60 dmuserctl ping
	pgrep -o -x dmuser-spawner >"$work/spawner.pid"
}

dmuserd_pid() {
	echo "$(<"$work/dmuserd.pid")"
}

spawner_pid() {
	echo "$(<"$work/spawner.pid")"
}

# is_over PID: it is dead; who reaps it, and when, does not matter.
is_over() {
	local line
	{
		while read -r line; do
			[[ $line != State:* || $line == State:*[ZX]* ]] || return 1
		done <"/proc/$1/status"
	} 2>/dev/null || return 0
}

# end_dmuserd SIGNAL
end_dmuserd() {
	local pid
	pid=$(dmuserd_pid)
	kill "-$1" "$pid"
	within 20 is_over "$pid"
}

end_spawner() {
	local pid
	pid=$(spawner_pid)
	kill -KILL "$pid"
	within 20 is_over "$pid"
}

# As a service manager would: it finds what the one before it has left.
restart_spawner() {
	/usr/lib/dmuser/dmuser-spawner
	pgrep -o -x dmuser-spawner >"$work/spawner.pid"
	within 20 dmuserctl ping
}

# Parsers that wait for a client, or serve one, by pid.
parsers() {
	pgrep -x dmuser-parser || true
}

# Leaks

# Counts dmuserd's and the spawner's descriptors, in $descriptors.
count_descriptors() {
	local ours theirs
	ours=("/proc/$(<"$work/dmuserd.pid")/fd/"*)
	theirs=("/proc/$(<"$work/spawner.pid")/fd/"*)
	descriptors="dmuserd ${#ours[@]}, spawner ${#theirs[@]}"
}

# The same four parsers as a moment ago, all sealed, and the same descriptors.
is_settled() {
	local now pid
	count_descriptors
	now="$(parsers | sort -n | paste -sd' '); $descriptors"
	for pid in ${now%;*}; do
		grep -q '^Seccomp_filters:[[:space:]]*3' "/proc/$pid/status" || return 1
	done
	[[ ${now%;*} == *' '*' '*' '* && $now == "$(<"$work/settling")" ]] ||
		{ echo "$now" >"$work/settling" && return 1; }
}

# What descriptors there are when nothing is going on. Once something has, as some are opened at first use.
note_descriptors() {
	: >"$work/settling"
	within 60 is_settled
	count_descriptors
	echo "$descriptors" >"$work/descriptors"
}

has_no_more_descriptors() {
	count_descriptors
	[[ $descriptors == "$(<"$work/descriptors")" ]]
}

# No device, node, journal entry or socket of a volume: the quick look.
looks_empty() {
	local found
	found=$(compgen -G '/dev/dm-user/*' || compgen -G '/dev/mapper/dmuser-*' ||
		compgen -G '/run/dmuser/journal/*' || compgen -G '/run/dmuser/workers/*') || return 0
	echo "$found"
	return 1
}

# What fits no test's sentence, but each of them: nothing is left of it. If there is, it is told.
nothing_is_left() {
	end_watch
	within 10 looks_empty || looks_empty
	"$tree/packaging/left-behind"
	! pgrep -x -a dmuser-oci-hook || return 1
	within 20 has_no_more_descriptors ||
		{ echo "descriptors: $descriptors; before: $(<"$work/descriptors")" && return 1; }
}

# try SENTENCE COMMAND…: a test that leaves nothing, or else the next one finds nothing of it. With a
# pattern on the script's command line, only if it is in the sentence.
try() {
	[[ $1 == *"$only"* ]] || return 0
	check "$1" leaving_nothing "${@:2}"
}

leaving_nothing() {
	trap tidy_up EXIT
	"$@"
	nothing_is_left
}

# What a test has started: whoever lives on holds its output open, which then has no end. Not by `jobs`, which
# knows only the first process of a pipeline, and not what a subshell has started. dmuserd is to live on.
kill_children() {
	local pid
	for pid in $(pgrep -P "$1"); do
		[[ $pid != "$(dmuserd_pid)" ]] || continue
		kill_children "$pid"
		kill -KILL "$pid" 2>/dev/null
	done
}

# After a test, whatever it came to. The exit status stays the test's.
tidy_up() {
	local status=$? bundle
	set +e
	end_watch
	kill_children "$BASHPID"
	for bundle in "$work"/bundles/*; do
		[[ ! -e $bundle/config.json ]] || discard_container "$bundle"
	done
	((status == 0)) || tidy_up_after_failure
	rm -rf "$work"/bundles
} >&2

# A script whose tests use volumes by more than containers, or make what others stumble over, says here how that ends
# when one of them fails: before the volumes go, and after that.
stop_using_volumes() {
	:
}

put_back() {
	:
}

tidy_up_after_failure() {
	echo "dmuserd has said:"
	tail -n 15 "$work/dmuserd.log"
	! is_over "$(spawner_pid)" || restart_spawner
	kill -CONT "$(spawner_pid)"
	! is_over "$(dmuserd_pid)" || start_dmuserd
	stop_using_volumes
	dmuserctl --json list | jq -r '.volumes[].name' | xargs -rn1 dmuserctl release --force --timeout 20s
	put_back
}

# Events

# From here on each event is seen.
watch() {
	end_watch
	exec {events}< <(exec dmuserctl --json monitor)
	monitor=$!
	read -r -t 30 <&"$events"
}

end_watch() {
	[[ -n $monitor ]] || return 0
	kill "$monitor" 2>/dev/null || true
	exec {events}<&-
	monitor=
}

# await PATTERN [SECONDS]: reads events until one matches.
await() {
	local event
	while read -r -t "${2-20}" event <&"$events"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $event != *$1* ]] || return 0
	done
	echo "no event was like $1" >&2
	return 1
}

# await_state STATE [NAME]
await_state() {
	await "\"name\":\"${2-v1}\"*\"state\":\"$1\""
}

await_gone() {
	await '"event":"gone"' "$@"
}

# is_state STATE [NAME]
is_state() {
	[[ $(dmuserctl --json show "${2-v1}") == *'"state": "'"$1"'"'* ]]
}

# field NAME [VOLUME]: a number or a text without quotes in it, of what `show` tells.
field() {
	[[ $(dmuserctl --json show "${2-v1}") =~ \"$1\":\ \"?([^\",[:cntrl:]]*) ]]
	echo "${BASH_REMATCH[1]}"
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# gone_after N COMMAND…: the command ends the container. Within 2 s of init's death its N volumes are gone, by
# dmuserd's own word; which is true at once. $patience: seconds until init is dead.
gone_after() {
	local n=$1 began took
	shift
	watch
	"$@"
	within "${patience-20}" is_over "$init"
	began=$(now_ms)
	for (( ; n > 0; n--)); do
		await_gone
	done
	took=$(($(now_ms) - began))
	looks_empty
	echo "gone after $took ms"
	((took <= 2000))
}

# Containers

# The options of a volume of 16 MiB, mounted at $2.
volume() {
	local spec="backend=$1,size=16M,mount=${2-/data}"
	[[ $1 != file ]] || spec+=",path=$work/bundles/$BASHPID.img"
	echo "$spec"
}

# One root that all containers share, and one configuration that each changes: the making takes long.
make_template() {
	"$tree/packaging/example-bundle" --volume v1=SPEC "$work/template" -- sh /life
	mkfifo "$work/template/rootfs/orders"
	sed -i "s|\"rootfs\"|\"$work/template/rootfs\"|" "$work/template/config.json"
}

# new_container SPEC… <LIFE: $bundle and $id, with volumes v1, v2, … of those SPECs. LIFE is a script that the
# container runs as its init: it hears what `order` says by `read order </orders`, and writes to $bundle/log.
new_container() {
	local annotations=$1 n=1 root=$work/template/rootfs
	while (($# > 1)); do
		n=$((n + 1))
		annotations+="\", \"io.dmuser.volume.v$n\": \"$2"
		shift
	done
	serial=$((serial + 1))
	id=$runtime-$BASHPID-$serial
	bundle=$work/bundles/$id
	mkdir -p "$bundle"
	sed "s|SPEC|$annotations|" "$work/template/config.json" >"$bundle/config.json"
	echo "$runtime" >"$bundle/runtime"
	rm -rf "$root/kept" "$root/enough"
	: >"$root/rounds"
	cat >"$root/life"
}

run_container() {
	"$runtime" run --detach --bundle "$bundle" --pid-file "$bundle/pid" "$id" \
		</dev/null >"$bundle/log" 2>&1 || { cat "$bundle/log" && return 1; }
	init=$(<"$bundle/pid")
}

# What the runtime still knows of it.
discard_container() {
	timeout -k 1 20 "$(<"$1/runtime")" delete --force "${1##*/}" >/dev/null 2>&1 || true
}

# order WORD: to the container's init.
order() {
	timeout 20 sh -c 'echo "$1" >"$2"' - "$1" "$work/template/rootfs/orders"
}

says() {
	grep -qE -- "$1" "$bundle/log"
}

# The container writes, round by round, and keeps what it has written to compare. It hears three orders: to
# stop, to compare, to end.
new_writer() {
	new_container "$@" <<'LIFE'
mkdir /kept
n=0
(
	while [ ! -e /enough ]; do
		n=$((n + 1))
		head -c 65536 /dev/urandom >/kept/$((n % 8))
		dd if=/kept/$((n % 8)) of=/data/$((n % 8)) bs=64k conv=fsync || break
		echo $n >>/rounds
	done
	echo "the writer has ended"
) &
read order </orders
touch /enough
wait
read order </orders
cd /kept
for file in *; do
	cmp $file /data/$file || echo "$file differs"
done
echo "the writer has compared"
read order </orders
LIFE
}

# has_written N: so many rounds more than noted.
has_written() {
	read_round
	((round >= noted + $1))
}

read_round() {
	round=$(wc -l <"$work/template/rootfs/rounds")
}

note_round() {
	read_round
	noted=$round
}

# More is written from now on.
goes_on_writing() {
	note_round
	within 20 has_written 3
}

# It has not noticed anything. What it compares comes from the worker, not from the page cache.
all_was_written() {
	order stop
	within 60 says 'the writer has ended'
	echo 3 >/proc/sys/vm/drop_caches
	order compare
	within 60 says 'the writer has compared'
	if grep -E 'differ|rror|Read-only' "$bundle/log"; then
		return 1
	fi
}

# Words on the control socket

readonly socket=/run/dmuser/io.dmuser

readonly raw_client=$build/tests/integration/raw-client

raw() {
	"$raw_client" "$@" "$socket"
}

# hold N [COMMAND…]: N connections, as COMMAND makes them, until `let_go_of_held`. Each is in a file below
# $work/clients, which says something once it is served.
hold() {
	local n=$1
	shift
	rm -rf "$work/clients"
	mkdir "$work/clients"
	calls '{"method":"org.varlink.service.GetInfo"}' >"$work/call"
	held=()
	for (( ; n > 0; n--)); do
		"$@" "$raw_client" --replies 1 --hold "$socket" <"$work/call" >"$work/clients/$n" 2>&1 &
		held+=($!)
	done
}

let_go_of_held() {
	kill "${held[@]}"
	wait "${held[@]}" || true
}

# calls JSON…: as they go over the socket.
calls() {
	printf '%s\0' "$@"
}

# creates PARAMETERS…: a Create each.
creates() {
	printf '{"method":"io.dmuser.Create","parameters":{%s}}\0' "$@"
}

# all CONDITION: every reply that stdin holds, and there are some.
all() {
	local replies
	replies=$(cat)
	echo "$replies"
	jq -se "length > 0 and all($1)" <<<"$replies" >/dev/null
}

# exits STATUS PATTERN COMMAND…: with that status, and says that.
exits() {
	local wanted=$1 pattern=$2 status=0 output
	shift 2
	output=$("$@" 2>&1) || status=$?
	echo "$output"
	((status == wanted)) || { echo "status $status, not $wanted: $*" && return 1; }
	grep -qE -- "$pattern" <<<"$output" || { echo "without '$pattern': $*" && return 1; }
}

memory() {
	dmuserctl --json create "$@" --backend memory
}
