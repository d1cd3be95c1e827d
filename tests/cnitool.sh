#!/bin/sh
# cnitool, the CNI project's own client, drives our plugins through every conf-examples/*.conflist and
# one of this script's own: add, ping the gateway, check, del; nothing may be left.
#
#   tests/cnitool.sh <directory of the plugins> [<build directory>]
#
# cnitool is built with Debian's Go and the library of golang-github-appc-cni-dev. That package leaves
# out cnitool itself, so its file comes from the Debian source package of the same version, once per
# build directory. Exits with 77 when Go, the library or the source can't be had; with 1 if
# CNI_TEST_MUST_RUN is set.
#
# Everything happens in network and mount namespaces of its own, with empty /run and /var/lib.
set -eu

die() {
	echo "cnitool.sh: $*" >&2
	exit 1
}

skip() {
	echo "cnitool.sh: $*: skipped" >&2
	[ -n "${CNI_TEST_MUST_RUN-}" ] && exit 1
	exit 77
}

library=/usr/share/gocode/src/github.com/containernetworking/cni
package=golang-github-appc-cni

# ---- building ----

# cnitool's main package, into $build/source
fetch_source() {
	if [ -f "$library/cnitool/cnitool.go" ]; then
		cp -r "$library/cnitool" "$build/source"
		return
	fi
	version=$(dpkg-query -W -f '${Version}' $package-dev) || skip "$package-dev is not installed"
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
	apt=$build/apt
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/source"
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"http://deb.debian.org/debian $release main" >"$apt/sources.list"
	set -- -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$apt/state" -o Dir::State::Status=/var/lib/dpkg/status \
		-o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" \
		-o APT::Update::Error-Mode=any
	(apt-get "$@" update &&
		cd "$apt/source" &&
		apt-get "$@" source --download-only "$package=$version") >&2 ||
		skip "the source package $package $version can't be fetched"
	mkdir -p "$apt/tree"
	tar -xf "$apt"/source/*.orig.tar.* -C "$apt/tree" --strip-components=1
	mv "$apt/tree/cnitool" "$build/source"
	rm -rf "$apt"
}

build_cnitool() {
	[ -x "$build/cnitool" ] && return
	command -v go >/dev/null || skip "go is not installed"
	[ -d "$library/libcni" ] || skip "$package-dev is not installed"
	mkdir -p "$build"
	[ -d "$build/source" ] || fetch_source
	(cd "$build/source" && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' \
		GOCACHE="$build/gocache" go build -o "$build/cnitool.new" .) ||
		die "cnitool does not build"
	mv "$build/cnitool.new" "$build/cnitool"
}

# ---- running ----

# What a runtime adds: ranges, if list $1 wants them.
runtime_of() {
	if grep -q '"ipRanges": *true' "$1"; then
		echo '{"ipRanges":[[{"subnet":"10.112.0.0/24"}]]}'
	elif grep -q '"type": *"static"' "$1"; then
		echo '{"ips":["10.70.0.5/24"]}'
	else
		echo '{}'
	fi
}

# The list named $2 in file $1, through its life in a container of its own.
run_list() {
	name=$2
	CAP_ARGS=$(runtime_of "$NETCONFPATH/$1")
	export CAP_ARGS
	ip netns add c1
	cnitool add "$name" /run/netns/c1 >/run/result || die "$1: add: $(cat /run/result)"
	sed -n 's/.*"gateway": "\(.*\)".*/\1/p' /run/result >/run/gateways
	while read -r gateway; do
		ip -o addr | grep -qF -e "inet $gateway/" -e "inet6 $gateway/" || continue # it is not this host
		ip netns exec c1 ping -c1 -W5 -q "$gateway" >/dev/null ||
			die "$1: $gateway does not answer"
		pings=$((pings + 1))
	done </run/gateways
	cnitool check "$name" /run/netns/c1 || die "$1: check"
	cnitool del "$name" /run/netns/c1 || die "$1: del"
	cnitool del "$name" /run/netns/c1 || die "$1: second del"
	left=$(ip netns exec c1 ip -o link | grep -v ' lo: ' || true)
	left=$left$(ip -o link show type veth)
	left=$left$(find /run/cni -type f 2>/dev/null || true)
	left=$left$(find /var/lib/cni -type f ! -name lock ! -name .ccni-index ! -name 'last_reserved_ip.*')
	left=$left$(nft list ruleset 2>/dev/null | grep -E 'masquerade|dnat' |
		grep -v -E 'table|chain|jump CNI-FORWARD-DNAT' || true)
	[ -z "$left" ] || die "$1: left behind: $left"
	ip netns del c1
	# The next file's bridge may be called the same.
	ip -o link show type bridge | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | xargs -rn1 ip link del
}

# In the namespaces: $1 = plugins, $2 = build directory, $3 = conf-examples
run_all() {
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /var/lib
	mkdir -p /run/conf
	ip link set lo up
	PATH=$2:/usr/sbin:/usr/bin:/sbin:/bin
	export PATH CNI_PATH="$1" NETCONFPATH=/run/conf
	[ -x "$1/bridge" ] || die "$1/bridge: not there; the directory must not be below /run"
	cat >/run/own.conflist <<-END
		{ "cniVersion": "1.0.0", "name": "own-of-cnitool-sh", "plugins": [
		    { "type": "bridge", "bridge": "br-own", "isDefaultGateway": true,
		      "ipMasq": true, "ipMasqBackend": "nftables", "ipam": { "type": "host-local",
		      "ranges": [ [ { "subnet": "10.111.0.0/24" } ],
		                  [ { "subnet": "fd00:111::/64" } ] ] } } ] }
	END
	pings=0
	count=0
	for list in "$3"/*.conflist /run/own.conflist; do
		[ -f "$list" ] || continue
		# The library of 1.1.2 does not know results of version 1.1.0 yet.
		sed 's/\("cniVersion": *\)"1\.1\.0"/\1"1.0.0"/' "$list" >"/run/conf/${list##*/}"
		# The first name in the file is the list's: the plugins in it have none.
		name=$(sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' "$list" | head -n1)
		run_list "${list##*/}" "$name"
		count=$((count + 1))
	done
	[ "$pings" -gt 0 ] || die "no gateway was pinged"
	echo "cnitool: $count lists, $pings gateways answered"
}

if [ "${1-}" = --inside ]; then
	shift
	run_all "$@"
	exit
fi

[ -d "${1-}" ] || die "usage: $0 <directory of the plugins> [<build directory>]"
plugins=$(cd "$1" && pwd)
examples=$(cd "$(dirname "$0")/.." && pwd)/conf-examples
build=${2:-}
if [ -z "$build" ]; then
	build=$(mktemp -d)
	trap 'rm -rf "$build"' EXIT
fi
mkdir -p "$build"
build=$(cd "$build" && pwd)
unshare -n -m true 2>/dev/null || skip "no right to make namespaces"
build_cnitool
unshare -n -m --propagation private "$0" --inside "$plugins" "$build" "$examples"
