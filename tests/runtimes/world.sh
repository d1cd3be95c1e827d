# shellcheck shell=bash
# The small world that every script in this directory runs in; sourced, not run. A script reads:
#
#   set -eu
#   . "$(dirname "$0")/world.sh"
#   world_enter PLUGINS "$@"       # starts the script again, inside; what follows is only run there
#   world_outside
#   ... start a runtime, let it run containers, look with ask, same, wait_until ...
#   world_clean "after the last container" 10.4.0.2 c1
#
# Inside, network, mounts, processes, IPC and host name are the world's own, and all of it ends with the
# script, however that ends. /run is empty; /etc /var /opt /root show the machine's files, and what is
# written there is thrown away; parameters of the kernel but /proc/sys/net cannot be written.
# /opt/cni/bin (and /usr/lib/cni if there is one) holds the plugins, /etc/cni and /var/lib/cni nothing. What
# AddressSanitizer finds in any plugin fails the script, whatever the runtime makes of exit statuses.
# Of the machine itself control groups called $WORLD_CGROUP are used, removed at the end.
#
# Exit status of a script: 0 all was as it should be, 1 something was not, 77 (with CNI_TEST_MUST_RUN in the
# environment: 1) what it needs cannot be had. Needs root, and: iproute2 iptables nftables tar.
set -o pipefail

# The world's addresses: the host's, and those of the server outside, which knows no way to containers.
HOST4=10.99.0.1 HOST6=fd99::1
OUTSIDE4=10.99.0.2 OUTSIDE6=fd99::2
export HOST4 HOST6 OUTSIDE4 OUTSIDE6

world_name=${0##*/}

# ---- messages ----

say() { echo "$world_name: $*"; }

die() {
	echo "$world_name: FAILED: $*" >&2
	exit 1
}

skip() {
	echo "$world_name: $*: skipped" >&2
	[ -z "${CNI_TEST_MUST_RUN:-}" ] || exit 1
	exit 77
}

# need COMMAND...: each has to be there.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "no $tool"
	done
}

# ---- looking ----

# same WHAT EXPECTED ACTUAL
same() { [ "$2" = "$3" ] || die "$1: expected '$2', got '$3'"; }

# wait_until SECONDS WHAT COMMAND...: until the command succeeds; its output is shown if it never does.
wait_until() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/run/world/waiting 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			cat /run/world/waiting >&2
			die "$what: not within the time allowed ($*)"
		fi
		sleep 0.05
	done
}

# within NETNS COMMAND...: in the network namespace of that name, path or process; "" is the host's.
within() {
	local netns=$1
	shift
	case $netns in
	'') "$@" ;;
	/*) nsenter --net="$netns" -- "$@" ;;
	*[!0-9]*) nsenter --net="/run/netns/$netns" -- "$@" ;;
	*) nsenter --net="/proc/$netns/ns/net" -- "$@" ;;
	esac
}

# ask NETNS ADDRESS [PORT]: asks a server of world_serve from there; prints the address that it saw.
ask() {
	local host=$2
	case $host in *:*) host="[$host]" ;; esac
	within "$1" "$BUSYBOX" timeout 5 "$BUSYBOX" wget -qO- "http://$host:${3:-80}/cgi-bin/caller"
}

# ---- what is left behind ----

# All packet filter rules there are, in nftables and both kinds of iptables, without counters.
world_rules() {
	nft list ruleset 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]* *//'
	local tool
	for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
		echo "$tool"
		{ "$tool-save" 2>/dev/null || true; } | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'
	done
}

# Named network namespaces, and what plugins and libcni remember. Host-local's notes are no leases.
world_files() {
	local dir
	for dir in /run/netns /run/cni /run/libcni /run/ccni /var/lib/cni /var/cache/cni; do
		[ ! -d "$dir" ] || find "$dir" -type f ! -path /run/netns/outside ! -name lock \
			! -name .ccni-index ! -name 'last_reserved_ip.*'
	done | sort
}

# Everything about the network that a container may have changed; fe80::/64 comes and goes with a bridge's
# ports.
world_state() {
	echo "== links"
	ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort
	echo "== addresses, routes"
	ip -o addr | sed 's/^[0-9]*: //; / fe80:/d; s/ *valid_lft.*//' | sort
	{ ip -4 route show table all; ip -6 route show table all; } |
		sed '/fe80:/d; /ff00::/d; s/ linkdown//; s/ pref medium//' | sort
	echo "== namespaces, files"
	world_files
	echo "== rules"
	world_rules
}

# world_same FILE WHAT: the state is the one that world_state wrote into the file.
world_same() {
	world_state >/run/world/now
	diff -u "$1" /run/world/now >&2 || die "$2: not as before"
}

# world_clean WHAT [WORD...]: no container has left anything: no pair, no namespace, no lease, no result in
# libcni's cache; and none of the words (addresses, names) is in any rule. The kernel may need a moment
# to take a pair along with its namespace.
world_clean() {
	local left
	wait_until 10 "$1: pairs left behind" world_no_pairs
	left=$(world_files)
	[ -z "$left" ] || die "$1: left behind: $left"
	[ $# -gt 1 ] || return 0
	left=$(world_rules | grep -wF -f <(printf '%s\n' "${@:2}") || true)
	[ -z "$left" ] || die "$1: left behind: $left"
}

world_no_pairs() { ! ip -o link show type veth | grep -v ': up0@'; }

# The Go plugin bridge leaves masquerade rules behind on DEL without the namespace (docs/compat.md, masquerade
# rules when the namespace is gone). A test in which that happens calls this, where all containers are gone,
# and then looks for what else is left.
world_forget_masquerade() {
	world_ours && return
	say "the Go plugins' masquerade rules are removed by hand"
	local kind
	for kind in iptables ip6tables; do
		{
			echo '*nat'
			"$kind-save" -t nat | sed -n 's/^-A \(POSTROUTING .* --comment "name: \)/-D \1/p'
			"$kind-save" -t nat | sed -n 's/^:\(CNI-[0-9a-f]\{24\}\) .*/-F \1\n-X \1/p'
			echo COMMIT
		} | "$kind-restore" --noflush
	done
}

# ---- servers and images ----

# A root directory with busybox, and a page /cgi-bin/caller that says who asks.
world_rootfs() {
	mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/proc" "$1/sys" "$1/dev" "$1/www/cgi-bin"
	cp "$BUSYBOX" "$1/bin/busybox"
	local applet
	for applet in sh sleep timeout httpd nc wget ping ip cat env; do
		ln -sf busybox "$1/bin/$applet"
	done
	cat >"$1/www/cgi-bin/caller" <<-'END'
		#!/bin/sh
		a=${REMOTE_ADDR#\[}
		a=${a%\]}
		printf 'Content-Type: text/plain\r\n\r\n%s\n' "${a#::ffff:}"
	END
	chmod 755 "$1/www/cgi-bin/caller"
	echo 'root:x:0:0:root:/:/bin/sh' >"$1/etc/passwd"
}

# world_serve NETNS [PORT]: a server in the background that answers the caller's address.
world_serve() {
	within "$1" "$BUSYBOX" httpd -f -p "${2:-80}" -h /run/world/rootfs/www &
}

# world_image NAME FILE [COMMAND...]: an OCI image in a tar file, made by hand; it serves on port 80 unless
# there is a command.
world_image() {
	local name=$1 file=$2 dir layer config manifest
	shift 2
	[ $# -gt 0 ] || set -- /bin/httpd -f -p 80 -h /www
	dir=$(mktemp -d)
	mkdir -p "$dir/blobs/sha256"
	tar -C /run/world/rootfs --owner=0 --group=0 -cf "$dir/layer" .
	layer=$(world_blob "$dir" "$dir/layer")
	printf '%s\n' "$@" | jq -cRn --arg l "$layer" '{architecture: $ENV.WORLD_ARCH, os: "linux",
		config: {Cmd: [inputs], Env: ["PATH=/bin"], WorkingDir: "/"},
		rootfs: {type: "layers", diff_ids: ["sha256:" + $l]}}' >"$dir/config"
	config=$(world_blob "$dir" "$dir/config")
	jq -cn --arg c "$config" --argjson cs "$(stat -c %s "$dir/blobs/sha256/$config")" \
		--arg l "$layer" --argjson ls "$(stat -c %s "$dir/blobs/sha256/$layer")" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: ("sha256:" + $c), size: $cs},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: ("sha256:" + $l),
		size: $ls}]}' >"$dir/manifest"
	manifest=$(world_blob "$dir" "$dir/manifest")
	jq -cn --arg m "$manifest" --argjson s "$(stat -c %s "$dir/blobs/sha256/$manifest")" --arg n "$name" \
		'{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
		digest: ("sha256:" + $m), size: $s, platform: {architecture: $ENV.WORLD_ARCH, os: "linux"},
		annotations: {"io.containerd.image.name": $n, "org.opencontainers.image.ref.name": $n}}]}' \
		>"$dir/index.json"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
	tar -C "$dir" -cf "$file" oci-layout index.json blobs
	rm -rf "$dir"
}

# Moves a file to where the image's content is; prints its digest.
world_blob() {
	local digest
	digest=$(sha256sum "$2" | cut -d' ' -f1)
	mv "$2" "$1/blobs/sha256/$digest"
	echo "$digest"
}

# The world outside the host, with a server on port 80.
world_outside() {
	ip netns add outside
	ip link add up0 type veth peer name up0 netns outside
	ip addr add $HOST4/24 dev up0
	ip addr add $HOST6/64 dev up0 nodad
	ip link set up0 up
	within outside ip addr add $OUTSIDE4/24 dev up0
	within outside ip addr add $OUTSIDE6/64 dev up0 nodad
	within outside ip link set lo up
	within outside ip link set up0 up
	ip route add default via $OUTSIDE4
	ip -6 route add default via $OUTSIDE6
	world_serve outside
	wait_until 10 "the server outside" ask "" $OUTSIDE4
}

# ---- going in ----

# world_enter PLUGINS ARGUMENT...: the script again with the same arguments, inside; there, it returns.
world_enter() {
	local plugins=$1 status=0
	shift
	if [ -n "${WORLD_INSIDE:-}" ]; then
		world_setup
		return
	fi
	[ -x "$plugins/bridge" ] || die "'$plugins' is no directory of plugins"
	[ "$(id -u)" -eq 0 ] || skip "not root"
	need ip nft iptables-nft iptables-legacy nsenter unshare setpriv jq tar
	WORLD_PLUGINS=$(realpath "$plugins")
	WORLD_CACHE=$("$(dirname "${BASH_SOURCE[0]}")/fetch") || skip "the runtimes cannot be fetched"
	WORLD_CGROUP=ccni-test-$$
	WORLD_ARCH=$(dpkg --print-architecture)
	export WORLD_PLUGINS WORLD_CACHE WORLD_CGROUP WORLD_ARCH
	unshare --net --mount true 2>/dev/null || skip "no right to make namespaces"
	# Whoever kills this shell ends the world.
	WORLD_INSIDE=1 setpriv --pdeathsig KILL unshare --net --mount --pid --ipc --uts --fork --kill-child \
		--mount-proc --propagation private "$(realpath "$0")" "$@" || status=$?
	world_sweep
	exit "$status"
}

# Removes the control groups of this script, and of those that were killed.
world_sweep() {
	local dir pid
	find /sys/fs/cgroup -depth -type d -path '*/ccni-test-*' 2>/dev/null | while read -r dir; do
		pid=${dir##*/ccni-test-}
		pid=${pid%%/*}
		[ "$pid" != $$ ] && [ -d "/proc/$pid" ] || rmdir "$dir" 2>/dev/null || true
	done
}

world_setup() {
	local dir
	trap world_end EXIT
	set -E
	trap 'echo "$world_name: ${BASH_SOURCE[0]}:$LINENO: exit status $?: $BASH_COMMAND" >&2' ERR
	# Plugins may be below what is hidden in a moment.
	mount -t tmpfs -o mode=755 world /mnt
	mkdir -p /mnt/world/bin /mnt/world/cgroup /mnt/world/sanitizer /mnt/world/log /mnt/tmp /mnt/lock /mnt/netns
	cp -aL "$WORLD_PLUGINS/." /mnt/world/bin/
	mount -n --move /mnt /run
	for dir in etc var opt root; do
		mkdir -p "/run/world/over/$dir" "/run/world/work/$dir"
		mount -t overlay overlay "/$dir" \
			-o "lowerdir=/$dir,upperdir=/run/world/over/$dir,workdir=/run/world/work/$dir"
	done
	rm -rf /etc/cni /var/lib/cni /var/cache/cni /opt/cni
	mkdir -p /etc/cni/net.d /var/lib/cni /opt/cni/bin
	mount --bind /run/world/bin /opt/cni/bin
	[ ! -d /usr/lib/cni ] || mount --bind /run/world/bin /usr/lib/cni
	# This namespace's links in /sys; control groups can only be the machine's.
	mount --rbind /sys/fs/cgroup /run/world/cgroup
	mount -t sysfs sysfs /sys
	mount --rbind /run/world/cgroup /sys/fs/cgroup
	umount -l /run/world/cgroup
	mount --bind /proc/sys /proc/sys
	mount --bind /proc/sys/net /proc/sys/net
	mount -o remount,bind,ro /proc/sys
	hostname node
	ip link set lo up

	umask 022
	export TMPDIR=/run/tmp HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
	BUSYBOX=$WORLD_CACHE/bookworm/bin/busybox
	export ASAN_OPTIONS=log_path=/run/world/sanitizer/asan UBSAN_OPTIONS=log_path=/run/world/sanitizer/ubsan
	world_rootfs /run/world/rootfs
}

# Whether the plugins are this project's.
world_ours() { [ -e /opt/cni/bin/ccni ]; }

# The last word: a script that ends well with a sanitizer's report did not end well. What daemons wrote to
# /run/world/log is shown when something went wrong.
world_end() {
	local status=$?
	if [ -n "$(ls -A /run/world/sanitizer 2>/dev/null)" ]; then
		cat /run/world/sanitizer/* >&2
		status=1
		echo "$world_name: FAILED: a sanitizer's report, above" >&2
	fi
	case $status in
	0 | 77) ;;
	*)
		status=1
		tail -n 30 /run/world/log/* >&2 2>/dev/null || true
		;;
	esac
	exit "$status"
}
