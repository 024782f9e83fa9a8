# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every test script shares: verdicts and waiting. Sourced, never run.
#
# A test is a sentence and a command: `check "release twice is a no-op" release_twice`. Its output is
# shown only when it fails. `finish` prints the closing line and exits.

checks_passed=0
checks_failed=0
checks_skipped=0

# check SENTENCE COMMAND...: the command, in a subshell with errexit, is the test.
check() {
	local sentence=$1 output status
	shift
	# Not `|| status=$?`: bash ignores errexit in all that runs to the left of it.
	set +e
	output=$(
		exec 2>&1 </dev/null
		set -e
		"$@"
	)
	status=$?
	set -e
	if ((status == 0)); then
		echo "ok - $sentence"
		checks_passed=$((checks_passed + 1))
	else
		echo "not ok - $sentence (status $status)"
		[[ -z $output ]] || sed 's/^/    /' <<<"$output"
		checks_failed=$((checks_failed + 1))
	fi
	return 0
}

# skip SENTENCE REASON: says what did not run and why.
skip() {
	echo "skip - $1: $2"
	checks_skipped=$((checks_skipped + 1))
}

finish() {
	echo "$checks_passed passed, $checks_failed failed, $checks_skipped skipped"
	((checks_failed == 0))
	exit
}

# within SECONDS COMMAND...: until the command succeeds; fails after the deadline, saying so.
within() {
	local seconds=$1 deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= deadline)); then
			echo "not within $seconds s: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# refuses PATTERN COMMAND...: the command fails, and says something that matches.
refuses() {
	local pattern=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "'$*' succeeded: $output" >&2
		return 1
	fi
	grep -qE -- "$pattern" <<<"$output" || {
		echo "'$*' failed without '$pattern': $output" >&2
		return 1
	}
}
