#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# lsuacce: the table, the details and JSON say what sysfs says.

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"

ls=${LSUACCE:-lsuacce}

# contains TEXT WANTED
contains()
{
	case $1 in
	*"$2"*) ;;
	*)
		echo "there is no $2"
		return 1
		;;
	esac
}

# row: reads the line of our device
row()
{
	"$ls" >table
	while read -r name api flags free mmio dus isolated algorithms; do
		[ "$name" != "$dev" ] || return 0
	done <table
	cat table
	return 1
}

# is WHAT VALUE WANTED
is()
{
	[ "$2" = "$3" ] || {
		echo "$1 is $2, not $3"
		return 1
	}
}

the_table_has_a_title_and_a_line_for_each_device()
{
	"$ls" >table
	cat table
	{
		read -r line
		is title "$(echo "$line" | tr -s ' ')" \
			"NAME API FLAGS FREE MMIO DUS ISOLATED ALGORITHMS" ||
			return
		for d in /sys/class/uacce/*; do
			read -r name line
			is name "$name" "${d##*/}" || return
		done
		! read -r line
	} <table
}

its_columns_are_those_of_sysfs()
{
	row || return
	is API "$api" vaccel_v1 && is FLAGS "$flags" SVA && is FREE "$free" 8 &&
		is MMIO "$mmio" 4K && is DUS "$dus" 128K &&
		is ISOLATED "$isolated" no &&
		is ALGORITHMS "$algorithms" \
			"$(tr '\n' , <"/sys/class/uacce/$dev/algorithms" |
			   sed 's/,$//')"
}

open_queues_are_not_free()
{
	exec 5<>"/dev/$dev" 6<>"/dev/$dev"
	row && is FREE "$free" 6 || return
	exec 5>&-
	row && is FREE "$free" 7
}

isolation_is_shown()
{
	set_attribute inject/isolate 1 || return
	row
	before=$isolated
	"$ls" --json >json
	set_attribute inject/isolate 0
	row && is ISOLATED "$before" yes && is ISOLATED "$isolated" no &&
		grep -q '"isolate": true' json
}

driver()
{
	basename "$(readlink "/sys/class/uacce/$dev/device/driver")"
}

# the part of -v that is about our device
details()
{
	"$ls" -v | awk -v dev="$dev" '
		/^[^ ]/ { on = $1 == dev }
		on'
}

verbose_shows_parent_driver_node_and_every_attribute()
{
	details >out
	cat out
	# the names in one column, the values in the other
	lines=$(tr -s ' \n' ' |' <out)
	read -r numa <"/sys/class/uacce/$dev/device/numa_node"
	read -r number <"/sys/class/uacce/$dev/dev"
	for want in "node /dev/$dev" "driver $(driver)" \
		"parent $(attribute parent)" "device number $number"; do
		contains "$lines" "| $want|" || return
	done
	# -1 is: nobody knows
	[ "$numa" = -1 ] || contains "$lines" "| NUMA node $numa|" || return
	for a in api flags available_instances region_mmio_size region_dus_size; do
		read -r value <"/sys/class/uacce/$dev/$a"
		contains "$lines" "| $a $value|" || return
	done
}

# Reduces a JSON text to the letter V: values first, then arrays and objects of
# values, from the inside out
json_shape()
{
	sed -e 's/"\([^"\\]\|\\.\)*"/V/g' \
		-e 's/-\{0,1\}[0-9][0-9.]*/V/g' -e 's/true\|false\|null/V/g' |
		tr -d ' \n' |
		sed -e :a -e 's/\[\(V\(,V\)*\)\{0,1\}\]/V/;ta' \
			-e 's/{\(V:V\(,V:V\)*\)\{0,1\}}/V/;ta'
}

json_is_well_formed_and_complete()
{
	"$ls" --json >out
	cat out
	expect "well-formed JSON" [ "$(json_shape <out)" = V ] || return
	# ours: from its name to the end of the object
	ours=$(sed -n "/\"name\": \"$dev\"/,/}/p" out)
	for line in '"api": "vaccel_v1"' '"flags": 1' '"flag_names": ["SVA"]' \
		'"available_instances": 8' '"region_mmio_size": 4096' \
		'"region_dus_size": 131072' '"isolate": false' \
		"\"driver\": \"$(driver)\"" \
		"\"parent\": \"$(attribute parent)\""; do
		contains "$ours" "$line" || return
	done
	expect "one entry for each algorithm" \
		[ "$(echo "$ours" | grep '"algorithms"' | tr , '\n' |
		     grep -c '".*"')" = \
		  "$(wc -l <"/sys/class/uacce/$dev/algorithms")" ]
}

without_devices_it_says_so_and_is_no_error()
{
	without_devices true || return 4
	without_devices "$ls" >out 2>msg || return
	[ ! -s out ] && grep -qi 'no uacce devices' msg || return
	without_devices "$ls" --json >out 2>/dev/null || return
	[ "$(tr -d ' \n' <out)" = '{"devices":[]}' ]
}

a_device_without_SVA_has_no_flag()
{
	row && is FLAGS "$flags" - && "$ls" --json | sed -n "/\"$dev\"/,/}/p" >ours &&
		grep -q '"flags": 0' ours && grep -q '"flag_names": \[\]' ours
}

wrong_usage_is_an_error()
{
	"$ls" --help | grep -q -e --json || return
	! "$ls" --no-such-option 2>/dev/null && ! "$ls" argument 2>msg || return
	cat msg
	grep -q "'argument' is one too many" msg && grep -q -e --help msg
}

what_cannot_be_written_is_an_error()
{
	! "$ls" >/dev/full 2>msg || return
	cat msg
	grep -q 'cannot write all of it to standard output: No space left' msg || return
	! "$ls" -j >&- 2>msg || return
	cat msg
	grep -q 'cannot write all of it to standard output: Bad file' msg
}

command -v "$ls" >/dev/null || skip_all "lsuacce is not installed"
begin
make_instance ksft_ls queues=8 || skip_all "no accelerator with SVA"
plan 10

run	the_table_has_a_title_and_a_line_for_each_device \
	its_columns_are_those_of_sysfs \
	open_queues_are_not_free \
	isolation_is_shown \
	verbose_shows_parent_driver_node_and_every_attribute \
	json_is_well_formed_and_complete \
	without_devices_it_says_so_and_is_no_error \
	wrong_usage_is_an_error \
	what_cannot_be_written_is_an_error

make_instance ksft_ls_no_sva sva=0 || exit
run	a_device_without_SVA_has_no_flag
