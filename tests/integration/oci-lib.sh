# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What oci, oci-mounts and oci-refusals share: dmuserd in the VM's own /, and containers with volumes. Sourced after
# tests/lib.sh, never run.
#
# shellcheck disable=SC2154,SC2034 # names that are the script's

[[ -n ${DMUSER_VM-} ]] || {
	echo "$0: it changes this machine's /; run it in a VM: tests/vm/run -- $0" >&2
	exit 2
}
work=$(mktemp -d /tmp/oci.XXXXXX)
chmod 755 "$work"
readonly work image=$work/image
command=(sleep 1000000)
serial=0
runtime=
backend=

start_dmuserd() {
	cp -a "$build/stage/." /
	modprobe dm-user
	mkdir -p /run/dmuser
	dmuserd >"$work/dmuserd.log" 2>&1 &
	within 60 dmuserctl ping
}

# What is left of anything here: dmuser's, or a mount of a volume.
left_behind() {
	"$tree/packaging/left-behind" && ! grep -l ' /dev/dm-' /proc/[0-9]*/mountinfo
}

# make_bundle SPEC [OPTION…]: $bundle and $id, whose container runs $command with a volume v1 of that SPEC, or
# v1, v2, … of several that are separated by blanks. Options are example-bundle's.
make_bundle() {
	local spec options=() n=0
	serial=$((serial + 1))
	id=oci-$runtime-$BASHPID-$serial
	bundle=$work/$id
	for spec in $1; do
		n=$((n + 1))
		options+=(--volume "v$n=$spec")
	done
	shift
	"$tree/packaging/example-bundle" "${options[@]}" "$@" "$bundle" -- "${command[@]}"
}

# For hooks that are only meant for createRuntime.
drop_poststop() {
	sed -i '/"poststop"/d; s/\("createRuntime".*\),$/\1/' "$bundle/config.json"
}

# The options of a volume of $backend, 64 MiB, and others.
volume() {
	local spec="backend=$backend,size=64M,mount=/data"
	[[ $backend != file ]] || spec+=",path=$image"
	echo "$spec${1:+,$1}"
}

run_container() {
	"$runtime" run --detach --bundle "$bundle" --pid-file "$bundle/pid" "$id" \
		</dev/null >"$bundle/log" 2>&1 || { cat "$bundle/log" && return 1; }
	init=$(<"$bundle/pid")
}

inside() {
	"$runtime" exec "$id" "$@"
}

end_container() {
	kill -KILL "$init"
	within 20 left_behind
	"$runtime" delete --force "$id"
}

# The container is not made; runc says why, crun drops it. Nothing is left.
creation_fails() {
	local pattern=$1
	if run_container; then
		echo "the container was made" && return 1
	fi
	[[ $runtime == crun ]] || grep -qE -- "$pattern" "$bundle/log" ||
		{ echo "without '$pattern':" && cat "$bundle/log" && return 1; }
	"$runtime" delete --force "$id" >/dev/null 2>&1 || true
	within 20 left_behind
}

# try SENTENCE TEST: with no image yet.
try() {
	rm -f "$image"
	check "$@"
}

# run_tests FUNCTION: the script's tests, on a dmuserd, whose words are shown if one fails.
run_tests() {
	check "dmuserd starts" start_dmuserd
	((checks_failed > 0)) || "$1"
	if ((checks_failed > 0)); then
		echo "dmuserd said:"
		tail -n 60 "$work/dmuserd.log" | sed 's/^/    /'
	fi
	finish
}
