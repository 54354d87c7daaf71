#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh [qemu]: install what the build, the virtual machine and the static checks
# need from Debian's packages, with "qemu" also what building QEMU needs. Does
# nothing where everything is there.

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

command -v apt-get >/dev/null ||
	die "this is no Debian system: there is no apt-get." \
	    "The packages that Debian calls ${packages[*]} are needed."
[ "$(dpkg --print-architecture)" = amd64 ] ||
	die "the virtual machine is an x86-64 one and is built with the" \
	    "machine's own compiler; this is $(dpkg --print-architecture)."

missing=()
for p in "${packages[@]}"; do
	# shellcheck disable=SC2016 # dpkg-query expands it
	s=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || s=none
	[ "$s" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" != 0 ]; then
	say "These packages are needed and only root can install them:"
	say "    ${install[*]}"
	exit 1
fi

step "installing ${#missing[@]} packages from Debian: ${missing[*]} (about 2 minutes)"
mkdir -p "$CACHE"
lock "$CACHE/lock.setup"
export DEBIAN_FRONTEND=noninteractive
logged "$CACHE/setup.log" apt-get update ||
	die "apt-get update failed; see $CACHE/setup.log. Is the network up?"
logged "$CACHE/setup.log" "${install[@]}" ||
	{ tail -n 5 "$CACHE/setup.log" >&2
	  die "installing failed; see $CACHE/setup.log"; }
