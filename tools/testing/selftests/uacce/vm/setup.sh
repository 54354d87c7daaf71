#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh [qemu]: install what the build, the virtual machine and the static checks
# need from Debian's packages, with "qemu" also what building QEMU needs. Does
# nothing where everything is there. What is optional is tried once.

. "$(dirname "$0")/lib.sh"

packages=(
	bc bison flex gcc g++ libc6-dev libelf-dev libssl-dev kmod make perl
	python3 rsync xz-utils zlib1g-dev	# the kernel and the tools
	dpkg-dev				# to unpack source packages
	qemu-system-x86 busybox-static		# the virtual machine
	shellcheck				# the static checks
)
if [ "${1:-}" = qemu ]; then
	packages+=(
		ninja-build pkg-config python3-venv libglib2.0-dev libfdt-dev
		device-tree-compiler
		qemu-system-data seabios	# the firmware
	)
fi

# gcc-multilib is for tests in 32-bit programs. It cannot be together with cross
# compilers, and these are worth more to whoever has them.
optional=(gcc-multilib)
tried=$CACHE/setup.tried

command -v apt-get >/dev/null ||
	die "this is no Debian system: there is no apt-get." \
	    "The packages that Debian calls ${packages[*]} are needed."
[ "$(dpkg --print-architecture)" = amd64 ] ||
	die "the virtual machine is an x86-64 one and is built with the" \
	    "machine's own compiler; this is $(dpkg --print-architecture)."

# not_installed PACKAGE...
not_installed()
{
	local p s

	for p; do
		# shellcheck disable=SC2016 # dpkg-query expands it
		s=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || s=none
		[ "$s" = installed ] || echo "$p"
	done
}

mapfile -t missing < <(not_installed "${packages[@]}")
mapfile -t wanted < <(not_installed "${optional[@]}")
if [ -e "$tried" ] || [ "$(id -u)" != 0 ]; then
	wanted=()
fi
[ $((${#missing[@]} + ${#wanted[@]})) -gt 0 ] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" != 0 ]; then
	say "These packages are needed and only root can install them:"
	say "    ${install[*]}"
	exit 1
fi

step "installing from Debian: ${missing[*]} ${wanted[*]} (up to 2 minutes)"
mkdir -p "$CACHE"
lock "$CACHE/lock.setup"
export DEBIAN_FRONTEND=noninteractive
if ! logged "$CACHE/setup.log" apt-get update; then
	[ ${#missing[@]} -gt 0 ] || exit 0
	die "apt-get update failed; see $CACHE/setup.log. Is the network up?"
fi
if [ ${#missing[@]} -gt 0 ] && ! logged "$CACHE/setup.log" "${install[@]}"; then
	tail -n 5 "$CACHE/setup.log" >&2
	die "installing failed; see $CACHE/setup.log"
fi
if [ ${#wanted[@]} -gt 0 ]; then
	logged "$CACHE/setup.log" apt-get install -y --no-install-recommends \
		--no-remove "${wanted[@]}" ||
		say "${wanted[*]} cannot be installed here; what it is for will be skipped."
	: >"$tried"
fi
