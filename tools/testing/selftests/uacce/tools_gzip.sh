#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# uacce-gzip: its streams are gzip's, it treats files as gzip does, and whatever
# happens it leaves a whole result or none.

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"

gz=${UACCE_GZIP:-uacce-gzip}

# accel OPTION...: on our own instance
accel()
{
	"$gz" --device="/dev/$dev" "$@"
}

# status WANTED COMMAND...
status()
{
	wanted=$1
	shift
	"$@"
	got=$?
	[ $got = "$wanted" ] || {
		echo "exit status $got, not $wanted: $*"
		return 1
	}
}

# only NAME...: the directory holds these files and nothing else, hidden or not
only()
{
	there=$(ls -A)
	[ "$there" = "$(printf '%s\n' "$@")" ] || {
		echo "there is: $there; not: $*"
		return 1
	}
}

text()
{
	seq 1 "$1"
}

# spoil FILE OFFSET: another byte there
spoil()
{
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# there_and_back FILE: compressed by us, expanded by gunzip
there_and_back()
{
	accel -k "$1" && gunzip -t "$1.gz" && gunzip -c "$1.gz" | cmp - "$1"
}

an_empty_file_becomes_a_valid_stream()
{
	: >f && there_and_back f
}

a_single_byte_comes_back()
{
	printf x >f && there_and_back f
}

noise_of_64_KiB_comes_back()
{
	head -c 65536 /dev/urandom >f && there_and_back f || return
	[ "$(wc -c <f.gz)" -lt 66000 ]
}

two_MB_of_text_come_back_from_two_queues()
{
	cp "$work/text" f
	before=$(attribute stats/gets)
	accel -3 -k --queues=2 f && gunzip -c f.gz | cmp - f || return
	expect "half the size or less" \
		[ $(($(wc -c <f.gz) * 2)) -lt "$(wc -c <f)" ] || return
	expect "two queues" \
		[ $(($(attribute stats/gets) - before)) = 2 ] || return
	expect "pages of ours" at_least stats/page_faults 100 || return
	accel -dc f.gz | cmp - f
}

without_device_option_one_is_found()
{
	text 1000 >f && "$gz" -k f && gunzip -c f.gz | cmp - f
}

the_file_is_replaced_and_keeps_mode_and_time()
{
	text 1000 >f && cp f copy && chmod 640 f && touch -d 2001-02-03 f
	old=$(stat -c '%a %Y %u' f)
	accel f && only copy f.gz || return
	expect "same mode, time, owner" [ "$(stat -c '%a %Y %u' f.gz)" = "$old" ] ||
		return
	accel -d f.gz && only copy f && cmp f copy || return
	[ "$(stat -c '%a %Y %u' f)" = "$old" ]
}

keep_and_stdout_leave_the_file()
{
	text 1000 >f
	accel -k f && only f f.gz && rm f.gz || return
	accel -c f >out && only f out && gunzip -c <out | cmp - f
}

output_option_names_the_result()
{
	text 1000 >f
	accel -o there f && only f there && gunzip -c <there | cmp - f || return
	accel -d -o back there && only back f there && cmp back f
}

pipes_work_in_both_directions()
{
	text 20000 >f && cp f copy
	accel <f | accel -d | cmp - copy || return
	# shellcheck disable=SC2002 # a pipe is what is wanted
	cat f | accel -c - | gunzip -c | cmp - copy
}

nine_is_smaller_than_one()
{
	cat "$here"/*.sh >f
	accel -1c f >one && accel -9c f >nine && gunzip -t <one &&
		gunzip -t <nine || return
	[ "$(wc -c <nine)" -lt "$(wc -c <one)" ]
}

streams_of_gzip_are_expanded()
{
	text 20000 >f
	gzip -c f >g.gz && accel -dc g.gz | cmp - f
}

several_members_are_expanded_as_one()
{
	text 2000 >a && text 3000 >b && : >empty
	gzip -c a >all.gz && gzip -c empty >>all.gz && accel -c b >>all.gz || return
	cat a b >both && accel -dc all.gz | cmp - both
}

test_option_tells_good_from_bad()
{
	text 20000 >f
	accel f && accel -t f.gz && only f.gz || return
	spoil f.gz $(($(wc -c <f.gz) - 6))
	status 1 accel -t f.gz && only f.gz
}

a_corrupt_stream_leaves_no_output()
{
	text 20000 >f && accel f && cp f.gz whole
	for at in 1 5000 $(($(wc -c <f.gz) - 1)) $(($(wc -c <f.gz) - 8)); do
		cp whole f.gz && spoil f.gz $at
		status 1 accel -d f.gz 2>msg || return
		grep -q f.gz msg || return
		rm msg && only f.gz whole || return
	done
}

a_stream_cut_short_leaves_no_output()
{
	text 20000 >f && accel f && cp f.gz whole
	for len in 1 9 18 5000 $(($(wc -c <whole) - 1)); do
		head -c $len whole >f.gz
		status 1 accel -d f.gz 2>/dev/null && only f.gz whole || return
	done
}

what_is_no_gzip_file_is_refused()
{
	text 1000 >f.gz
	status 1 accel -d f.gz 2>/dev/null && only f.gz
}

garbage_after_the_stream_is_a_warning()
{
	text 1000 >f && accel -k f && echo garbage >>f.gz && cp f copy && rm f
	status 2 accel -d f.gz 2>msg && cmp f copy && grep -q garbage msg
}

suffixes_are_as_with_gzip()
{
	text 1000 >f && cp f f.gz
	status 2 accel f.gz 2>/dev/null && only f f.gz || return
	status 2 accel -d f 2>/dev/null && only f f.gz || return
	rm f.gz && accel -S .z f && only f.z || return
	accel -d -S .z f.z && only f
}

an_existing_file_is_not_overwritten()
{
	text 1000 >f && echo precious >f.gz
	status 2 accel f 2>msg </dev/null && grep -q f.gz msg && rm msg || return
	expect "untouched" [ "$(cat f.gz)" = precious ] && only f f.gz || return
	accel -f f && only f.gz && gunzip -t f.gz
}

a_link_to_a_device_does_not_swallow_the_file()
{
	text 1000 >f && cp f copy && ln -s /dev/null f.gz
	status 2 accel f 2>msg </dev/null && cmp f copy && rm msg || return
	accel -f f && only copy f.gz && gunzip -c f.gz | cmp - copy
}

help_and_usage_errors()
{
	accel --help >help && grep -q -e --queues help || return
	status 1 accel --no-such-option 2>/dev/null || return
	status 1 accel --queues=0 -c /dev/null 2>/dev/null || return
	status 1 accel missing 2>msg && grep -q missing msg || return
	for suffix in '' /x; do
		status 1 accel -S "$suffix" f 2>msg || return
		grep -q "suffix '$suffix' cannot be used" msg || return
	done
}

verbose_tells_the_ratio()
{
	text 20000 >f
	accel -v f 2>msg
	cat msg
	grep -q 'f:.*%.*f\.gz' msg
}

a_missing_device_is_named()
{
	text 1000 >f
	status 1 "$gz" --device=/dev/no_such-7 f 2>msg || return
	grep -q /dev/no_such-7 msg && grep -q 'modprobe uacce_sim' msg && rm msg &&
		only f
}

what_was_not_tried_is_counted()
{
	text 1000 >f && cp f g && cp f h
	status 1 "$gz" --device=/dev/no_such-7 f g h 2>msg || return
	cat msg
	grep -q 'nothing was done about 2 more input' msg && rm msg && only f g h
}

a_busy_device_is_named_with_what_may_be_the_cause()
{
	text 1000 >f
	set_attribute inject/fail_get_queue -1 || return
	status 1 accel f 2>msg || return
	cat msg
	grep -q "/dev/$dev: is busy" msg && grep -q 'in use.*being reset' msg || return
	rm msg && only f
}

a_device_that_does_not_start_is_named_with_the_way_out()
{
	text 1000 >f
	set_attribute inject/fail_start -1 || return
	status 1 accel f 2>msg || return
	cat msg
	grep -q ISOLATED msg && grep -q "/sys/class/uacce/$dev/device/reset" msg || return
	rm msg && only f
}

with_no_device_at_all_it_says_how_to_get_one()
{
	without_devices true || return 4
	text 1000 >f
	status 1 without_devices "$gz" f 2>msg || return
	grep -q 'modprobe uacce_sim' msg && rm msg && only f
}

a_device_without_SVA_is_refused()
{
	text 1000 >f
	status 1 accel f 2>msg && grep -q SVA msg && rm msg && only f
}

# in_flight: f is being compressed by process $pid, which has done some of it. It
# cannot go on: the engine is held. The file has so many chunks that however slow
# this shell is, there are some left to hold.
in_flight()
{
	cp "$work/text" f
	truncate -s 64M f
	set_attribute inject/delay_engine_ms 300 || return
	done_before=$(attribute stats/completions)
	"$gz" --device="/dev/$dev" --queues=1 -1 f 2>../msg &
	pid=$!
	wait_for at_least stats/completions $((done_before + 1)) || return
	set_attribute inject/hold_engine -1 || return
	wait_for at_least inject/hold_engine 1
}

a_device_that_goes_away_half_way_leaves_nothing()
{
	in_flight || return
	set_attribute live 0
	wait "$pid"
	expect "an error" [ $? = 1 ] || return
	cat ../msg
	grep -q 'went away' ../msg && only f && [ "$(stat -c %s f)" = 67108864 ] &&
		head -c "$(wc -c <"$work/text")" f | cmp - "$work/text"
}

a_queue_that_fails_half_way_leaves_nothing()
{
	in_flight || return
	set_attribute inject/fail_engine 1
	set_attribute inject/hold_engine 0
	wait "$pid"
	expect "an error" [ $? = 1 ] || return
	cat ../msg
	grep -q 'device failed or was reset' ../msg && only f
}

a_signal_half_way_leaves_nothing()
{
	in_flight || return
	kill -TERM "$pid"
	wait "$pid"
	expect "death by SIGTERM" [ $? = 143 ] && only f
}

# $inst is the one that is taken first: no other has more free queues, and of those
# with as many it has the first name
another_device_is_taken_if_the_best_cannot_be_opened()
{
	text 1000 >f
	set_attribute inject/"$1" -1 || return
	"$gz" -v -k f 2>msg
	got=$?
	cat msg
	expect "success" [ $got = 0 ] && gunzip -c f.gz | cmp - f || return
	grep -q "/dev/$dev cannot be opened" msg
}

another_device_is_taken_if_the_best_is_busy()
{
	another_device_is_taken_if_the_best_cannot_be_opened fail_get_queue
}

another_device_is_taken_if_the_best_does_not_start()
{
	another_device_is_taken_if_the_best_cannot_be_opened fail_start
}

if_none_can_be_opened_the_best_is_named()
{
	text 1000 >f
	for i in $instances default; do
		"$here/simctl" set "$i" inject/fail_get_queue -1 || return
	done
	status 1 "$gz" f 2>msg
	got=$?
	"$here/simctl" set default inject/fail_get_queue 0
	cat msg
	[ $got = 0 ] && grep -q "$dev: is busy" msg && rm msg && only f
}

command -v "$gz" >/dev/null || skip_all "uacce-gzip is not installed"
begin
make_instance ksft_gzip queues=8 || skip_all "no accelerator with SVA"
plan 34

# three chunks of the tool, the last a short one
text 330000 >"$work/text"

run	an_empty_file_becomes_a_valid_stream \
	a_single_byte_comes_back \
	noise_of_64_KiB_comes_back \
	two_MB_of_text_come_back_from_two_queues \
	without_device_option_one_is_found \
	the_file_is_replaced_and_keeps_mode_and_time \
	keep_and_stdout_leave_the_file \
	output_option_names_the_result \
	pipes_work_in_both_directions \
	nine_is_smaller_than_one \
	streams_of_gzip_are_expanded \
	several_members_are_expanded_as_one \
	test_option_tells_good_from_bad \
	a_corrupt_stream_leaves_no_output \
	a_stream_cut_short_leaves_no_output \
	what_is_no_gzip_file_is_refused \
	garbage_after_the_stream_is_a_warning \
	suffixes_are_as_with_gzip \
	an_existing_file_is_not_overwritten \
	a_link_to_a_device_does_not_swallow_the_file \
	help_and_usage_errors \
	verbose_tells_the_ratio \
	a_missing_device_is_named \
	what_was_not_tried_is_counted \
	a_busy_device_is_named_with_what_may_be_the_cause \
	a_device_that_does_not_start_is_named_with_the_way_out \
	with_no_device_at_all_it_says_how_to_get_one

run	a_queue_that_fails_half_way_leaves_nothing \
	a_signal_half_way_leaves_nothing \
	a_device_that_goes_away_half_way_leaves_nothing

make_instance ksft_gzip_best || exit
run	another_device_is_taken_if_the_best_is_busy \
	another_device_is_taken_if_the_best_does_not_start \
	if_none_can_be_opened_the_best_is_named

make_instance ksft_gzip_no_sva sva=0 || exit
run	a_device_without_SVA_is_refused
