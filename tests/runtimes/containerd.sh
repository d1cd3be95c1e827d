# shellcheck shell=bash
# containerd in the world of world.sh; sourced after it.

# containerd_use VERSION: 1.6 or 2; which containerd, ctr and runc are meant from now on.
containerd_use() {
	local release
	case $1 in
	1.6) release=bookworm ;;
	2) release=sid ;;
	*) die "containerd '$1': there are 1.6 and 2" ;;
	esac
	PATH=$WORLD_CACHE/$release/usr/bin:$WORLD_CACHE/bookworm/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin
	CONTAINERD_SOCKET=/run/containerd/containerd.sock
	export PATH CONTAINERD_SOCKET
	say "containerd $(containerd --version | cut -d' ' -f3) and $(runc --version | sed -n 1p)," \
		"plugins of $WORLD_PLUGINS"
	mkdir -p /run/containerd
	# Version 2 of the file is read by both.
	cat >/run/containerd/config.toml <<-END
		version = 2
		root = "/run/containerd/root"
		state = "/run/containerd/state"
		disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
			"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
			"io.containerd.snapshotter.v1.blockfile", "io.containerd.internal.v1.opt",
			"io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri"]
		[debug]
			level = "warn"
		[grpc]
			address = "$CONTAINERD_SOCKET"
		[plugins."io.containerd.grpc.v1.cri"]
			sandbox_image = "localhost/pause:1"
			restrict_oom_score_adj = true
			[plugins."io.containerd.grpc.v1.cri".cni]
				bin_dir = "/opt/cni/bin"
				conf_dir = "/etc/cni/net.d"
				max_conf_num = 1
				conf_template = "${CONTAINERD_TEMPLATE:-}"
			[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
				runtime_type = "io.containerd.runc.v2"
	END
}

containerd_start() {
	containerd --config /run/containerd/config.toml >>/run/world/log/containerd 2>&1 &
	containerd_pid=$!
	wait_until 60 "containerd" ctr version
}

# Containers go on.
containerd_stop() {
	kill "$containerd_pid"
	wait "$containerd_pid" || true
}
