#!/bin/sh
# For scripts to source: apt with sources, lists and a cache of its own, so that the system's sources,
# lists and packages stay as they are. What it fetches is checked against Debian's signature. No root.

# The mirror this machine uses already, else Debian's own.
mirror() {
	{ cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true; } | awk '
		$1 == "URIs:" { found = $2 }
		$1 == "deb" { for (i = 2; i <= NF && !found; i++) if ($i ~ /^[a-z+]*:\/\//) found = $i }
		found && found !~ /security/ { print found; exit }
		found { found = "" }' | grep . || echo http://deb.debian.org/debian
}

# private_apt_setup DIRECTORY TYPE:SUITE...: TYPE is deb or deb-src; DIRECTORY, absolute, is made.
private_apt_setup() {
	private_apt=$1
	shift
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$keyring" ] || {
		echo "$keyring: missing; install debian-archive-keyring" >&2
		return 1
	}
	mkdir -p "$private_apt/state/lists/partial" "$private_apt/cache/archives/partial"
	for source; do
		echo "${source%%:*} [signed-by=$keyring] $(mirror) ${source#*:} main"
	done >"$private_apt/sources.list"
	apt update
}

# Run apt-get, or apt-cache, on it, in the current directory.
apt() {
	private_apt_run apt-get -qq "$@" >&2
}

apt_cache() {
	private_apt_run apt-cache "$@"
}

private_apt_run() {
	tool=$1
	shift
	"$tool" -o Dir::Etc::SourceList="$private_apt/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$private_apt/state" -o Dir::State::Status=/var/lib/dpkg/status \
		-o Dir::Cache="$private_apt/cache" -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none -o APT::Update::Error-Mode=any "$@"
}
