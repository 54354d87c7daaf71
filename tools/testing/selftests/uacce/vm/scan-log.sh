#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# scan-log.sh FILE: print what the kernel reported as a mistake of its own, and
# fail if there was any. What drivers say with dev_warn() or pr_err() is not.
# A log that is not whole fails as well: what is not there looks clean.
# "scan-log.sh --part FILE" takes one that is still being written, or was cut short.
# "scan-log.sh --context FILE" prints the whole reports and never fails.

pattern='WARNING: |BUG: |BUG [a-z_]+.*: |kernel BUG at|Oops|Kernel panic|'
pattern=$pattern'general protection fault|invalid opcode|unable to handle|'
pattern=$pattern'divide error|stack segment|double fault|Call Trace:|'
pattern=$pattern'KASAN|UBSAN|KFENCE|ODEBUG|kmemleak: [1-9]|unreferenced object|'
pattern=$pattern'kmemleak: .*(disabled|empty|[Ff]ailed|Cannot)|'
pattern=$pattern'INFO: |possible (recursive|circular|irq|deadlock)|'
pattern=$pattern'inconsistent lock state|suspicious RCU|bad unlock balance|'
pattern=$pattern'(lock|locks) held when returning|held lock freed|'
pattern=$pattern'DEBUG_LOCKS_WARN|turning off the locking|'
pattern=$pattern'sleeping function called|scheduling while atomic|'
pattern=$pattern'list_(add|del) corruption|refcount_t: |Bad (page|rss|page state)|'
pattern=$pattern'blocked for more than|rcu.*(stall|detected)|soft lockup|'
pattern=$pattern'hard LOCKUP|self-detected|stack (overflow|guard)|stack-protector|'
pattern=$pattern'usercopy: |detected buffer overflow|Objects remaining|'
pattern=$pattern'stack is corrupted|'
# what the IOMMU refused to a device, and requests that it gave up
pattern=$pattern'DMAR: (DRHD: handling fault|\[|.*(Queue Error|[Tt]ime-?out))|'
# page requests that it lost
pattern=$pattern'PRQ overflow'

# what a healthy boot says with the same words
harmless='KernelAddressSanitizer initialized|lockdep INFO|ODEBUG: selftest passed'

# Programs whose allocations are made to fail have the allocators complain, with
# a call trace; and where it gets no memory kmemleak scans a little more. The one that
# lets processes run out of memory has the OOM killer tell of it, with one as well. The
# one about accelerators on a bus has more page requests sent than there is room for.
# shellcheck disable=SC2016 # these are awk's
asked_for='
	/uacce-vm: (start|end)/ {
		asked = /start fail_nth_/
		asked_oom = /start exit_matrix_test/
		asked_overflow = /start pci_test/
		failed = 0
	}
	asked && /kmemleak: Cannot allocate a scan area/ { $0 = "" }
	/\] fail_nth_[a-z]*: .*(vmalloc error|page allocation failure)/ { failed = 1 }
	asked_overflow && /\] IOMMU: dmar[0-9]+: PRQ overflow (detected|cleared)/ { $0 = "" }
	asked_oom && /\] exit_matrix_tes invoked oom-killer:/ { failed = 1 }
	failed && /Call Trace:/ { $0 = ""; failed = 0 }'

# What KCSAN finds elsewhere is not ours to mend: only reports that name us count.
# Their frames end with the name of a module of ours. What an interrupt came upon has
# nothing to do with it: KCSAN makes those whom it watches wait, so it is often us.
# shellcheck disable=SC2016 # these are awk's
elsewhere='
	function over() {
		if (ours)
			print first
		printf "%s", race
		first = race = ""
		ours = interrupted = 0
	}
	{ sub(/\r$/, "") }	# consoles end lines with it
	/BUG: KCSAN: / { over(); first = $0; next }
	first != "" {
		race = race $0 "\n"
		if (/ asm_(sysvec_|common_interrupt)/)
			interrupted = 1
		else if (/ bytes by (task|interrupt)/)
			interrupted = 0
		else if (/\[uacce/ && !interrupted)
			ours = 1
		if (/\] =+$/)
			over()
		next
	}
	{ print }
	END { if (first != "") over() }'

# not_whole FILE: why that is not all that the kernel of a guest said; fails if it is.
# The last line is what it says once the guest's init has come to its end.
not_whole()
{
	if [ ! -s "$1" ]; then
		echo "the kernel log is empty: $1"
	elif ! grep -aq '\] Linux version ' "$1"; then
		echo "the kernel log has no beginning, which is \"Linux version\""
	elif grep -aq 'printk messages dropped' "$1"; then
		echo "the kernel log has gaps: $(grep -a 'messages dropped' "$1" | head -n 1)"
	elif ! grep -aq '\] reboot: Power down' "$1"; then
		echo "the kernel log has no end, which is \"reboot: Power down\""
	else
		return 1
	fi
}

mode=
case $1 in
--*)
	mode=$1
	shift ;;
esac

# --context: with the program that ran and what belongs to the report
if [ "$mode" = --context ]; then
	LC_ALL=C awk "$elsewhere" "$1" |
	awk -v pattern="$pattern" -v harmless="$harmless" "$asked_for"'
		/uacce-vm: (start|end)/ { where = $0; next }
		$0 ~ pattern && $0 !~ harmless {
			if (left <= 0)
				print "---- " where
			left = 40
		}
		left-- > 0'
	exit 0
fi

if [ ! -r "$1" ]; then
	echo "there is no kernel log that could be read: $1"
	exit 1
fi
rc=0
! LC_ALL=C awk "$elsewhere" "$1" | LC_ALL=C awk "$asked_for"' { print }' |
	LC_ALL=C grep -anE "$pattern" | grep -vE "$harmless" || rc=1
[ "$mode" = --part ] || ! not_whole "$1" || rc=1
exit $rc
