#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh CONFIGURATION [TARGET...]: build the kernel of that configuration
# with our files in it, in its directory in the cache.

. "$(dirname "$0")/lib.sh"

name=$1
shift
[ $# -gt 0 ] || set -- vmlinux modules

dir=$(kernel_dir)
src=$dir/src
out=$(build_dir "$name")
log=$out/build.log
mapfile -t wanted < <(fragments "$name")
wanted=("$TOP/tools/testing/selftests/uacce/config" "${wanted[@]}")

kmake()
{
	make -C "$src" O="$out" ARCH=x86_64 -j"$JOBS" "$@"
}

# What the fragments ask for, where two differ the last one, must be what the
# kernel ended up with: a dependency that is not met drops an option silently.
verify()
{
	awk '{
		option = $1 == "#" ? $2 : $1
		sub(/=.*/, "", option)
		if (option !~ /^CONFIG_/ || $1 == "#" && !/ is not set$/)
			next
		if (FILENAME != ARGV[ARGC - 1])
			wanted[option] = $0
		else
			got[option] = $0
	}
	END {
		for (o in wanted) {
			off = wanted[o] ~ /^#/
			if (off ? got[o] ~ /=/ : got[o] != wanted[o]) {
				print "    " wanted[o] >"/dev/stderr"
				bad = 1
			}
		}
		exit bad
	}' "${wanted[@]}" "$out/.config"
}

configure()
{
	local stamp=$out/.fragments new

	new=$(cat "${wanted[@]}" "$TOP"/drivers/misc/uacce/Kconfig \
		"$TOP"/drivers/misc/uacce/*/Kconfig 2>/dev/null | sha256sum)
	[ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$new" ] || return 0
	rm -f "$stamp"
	if ! { logged "$log" kmake tinyconfig &&
	       logged "$log" "$src/scripts/kconfig/merge_config.sh" -m -O "$out" \
			"$out/.config" "${wanted[@]}" &&
	       logged "$log" kmake olddefconfig; }
	then
		die "configuring the $name kernel failed; see $log"
	fi
	verify || die "the $name kernel cannot have the options above, which" \
		"base.config and $name.config in $VM, or ../config, ask for"
	printf '%s\n' "$new" >"$stamp"
}

# all that a build depends on, unless the tree is the user's own
inputs()
{
	cat "$out/.config" "$VM"/fixes/*.patch
	cd "$src"
	{
		find drivers/misc/uacce -type f
		grep '^include/' .uacce-laid-over
	} | sort | xargs -d '\n' sha256sum
}

mkdir -p "$out"
kernel_lock
"$VM/overlay.sh"
configure
what=$*
built=$out/.built-${what// /-}
now=$(inputs | sha256sum)
if [ -z "${KSRC:-}" ] && [ -f "$built" ] && [ "$(cat "$built")" = "$now" ]; then
	exit 0
fi
if [ "$what" = "vmlinux modules" ]; then
	if [ -f "$out/vmlinux" ]; then
		step "building what changed in the $name kernel (seconds to a minute)"
	else
		step "building the $name kernel (the first time about" \
			"$([ "$name" = debug ] && echo 10 || echo 6) minutes on 2 cores)"
	fi
fi
rm -f "$built"
if ! logged "$log" kmake -s "$@"; then
	grep -E 'error:|ERROR:|undefined|\*\*\* \[' "$log" | head -n 20 >&2 || true
	die "building $what of the $name kernel failed; all of it is in $log"
fi
echo "$now" >"$built"
# warnings in our own files are worth a look even here
grep -E '(drivers/misc/uacce|linux/uacce\.h|misc/uacce/).*warning:' "$log" >&2 || true
