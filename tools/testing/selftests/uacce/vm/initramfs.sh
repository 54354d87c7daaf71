#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# initramfs.sh BUILD ROOT RUN: pack the modules of the kernel in BUILD, a
# BusyBox user land, the guest's scripts and everything below ROOT, with the
# shared libraries that its programs want, and put it into RUN together with
# the kernel. Needs no root: the archive is made from a list.

. "$(dirname "$0")/lib.sh"

build=$1
root=$2
run=$3

put()
{
	mkdir -p "$(dirname "$root/$2")"
	cp "$1" "$root/$2"
}

put /bin/busybox bin/busybox
for f in "$VM"/guest/*; do
	case ${f##*/} in
	init)	put "$f" init ;;
	fstab)	put "$f" etc/fstab ;;
	*)	put "$f" "vm/${f##*/}" ;;
	esac
done
chmod 755 "$root/init"
mkdir -p "$root"/{dev,proc,sys,tmp,root,etc,usr/bin,sbin,lib64}
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' \
	>"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"

# the libraries of whatever is linked dynamically, at the paths it asks for
find "$root" -type f -perm -100 -exec sh -c '
	for f do ldd "$f" 2>/dev/null; done; :' sh {} + |
	sed -n 's#^\(.*=>\)\?[[:space:]]*\(/[^ ]*\) (0x.*#\2#p' | sort -u |
	while read -r lib; do
		[ -e "$root$lib" ] || put "$lib" "$lib"
	done

logged "$run/modules.log" make -s -C "$build" ARCH=x86_64 modules_install \
	INSTALL_MOD_PATH="$root" ||
	die "installing the modules failed; see $run/modules.log"
rm -f "$root"/lib/modules/*/{build,source}

{
	find "$root" -mindepth 1 -type d -printf 'dir /%P 755 0 0\n'
	find "$root" -type f -printf "file /%P $root/%P %m 0 0\n"
	find "$root" -type l -printf 'slink /%P %l 777 0 0\n'
	/bin/busybox --list | sed 's#.*#slink /bin/& /bin/busybox 777 0 0#' |
		grep -v '^slink /bin/busybox '
	echo 'slink /sbin/modprobe /bin/busybox 777 0 0'
	echo 'nod /dev/console 600 0 0 c 5 1'
} >"$run/initramfs.list"
"$build/usr/gen_init_cpio" "$run/initramfs.list" >"$run/initramfs"
cp --reflink=auto "$build/vmlinux" "$run/vmlinux"
