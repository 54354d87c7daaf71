# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Read suites of the Debian archive that this machine's apt does not list,
# without touching its configuration: all of apt's state is kept in the cache.
# The archive's address and its keyring are the machine's own.

APT_DIR=$CACHE/apt
EXTRA_SUITES=(sid trixie-backports stable-backports)

# _apt COMMAND ARGUMENTS...: apt with its state in our cache
_apt()
{
	local tool=$1

	shift
	mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/cache/archives/partial"
	"apt-$tool" -o "Dir::State::Lists=$APT_DIR/lists" \
		-o "Dir::Cache=$APT_DIR/cache" \
		-o "APT::Sandbox::User=$(id -un)" \
		-o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

# archive_apt get|cache ARGUMENTS...: apt that sees the suites chosen below
archive_apt()
{
	local tool=$1

	shift
	_apt "$tool" -o "Dir::Etc::SourceList=$APT_DIR/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null "$@"
}

# The keyrings that may have signed what the sources entry "FILE:NUMBER" names:
# the entry's own, and the one that Debian's keyring package brings.
_keyrings()
{
	local file=${1%:*} number=${1##*:}

	{
		case $file in
		*.sources)
			awk -v RS= -v n="$number" 'NR == n' "$file" |
				sed -n 's/^[Ss]igned-[Bb]y: *\(\/[^ ]*\) *$/\1/p' ;;
		*)
			sed -n "${number}s/.*[[ ]signed-by=\\(\\/[^] ]*\\).*/\\1/p" "$file" ;;
		esac
		dpkg -L debian-archive-keyring 2>/dev/null |
			grep -E '/debian-archive-keyring\.(gpg|pgp)$' || true
	} | sort -u | paste -sd,
}

# archive_update: find the archive, write our list of sources, read its indexes
archive_update()
{
	local uri release entry keys suite s
	local -A suites=()

	mkdir -p "$APT_DIR"
	lock "$APT_DIR/lock"
	# a third party's repository that fails is none of our business
	logged "$APT_DIR/update.log" _apt get update || true
	# shellcheck disable=SC2016 # apt expands them
	while IFS='|' read -r uri release s; do
		: "${entry:=$s}" "${archive:=$uri}"
		[ "$uri" != "$archive" ] || suites[$release]=1
	done < <(_apt get indextargets --format \
			'$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)|$(SOURCESENTRY)' \
			'Created-By: Packages' |
		sed -n 's/^Debian|Debian|main|//p')
	if [ -z "${archive:-}" ]; then
		say "apt on this machine reads no Debian archive (or could not; see" \
		    "$APT_DIR/update.log)."
		return 1
	fi

	keys=$(_keyrings "$entry")
	for suite in "${EXTRA_SUITES[@]}"; do
		suites[$suite]=1
	done
	for suite in "${!suites[@]}"; do
		printf '%s'" ${keys:+[signed-by=$keys] }$archive $suite main\n" deb
		printf '%s'" ${keys:+[signed-by=$keys] }$archive $suite main\n" deb-src
	done | sort >"$APT_DIR/sources.list"
	# a mirror need not carry every suite; what it has will do
	logged "$APT_DIR/update.log" archive_apt get update || true
}
