#!/usr/bin/env bash
# Brings the builders that tsbuild is compared with, docker buildx (BuildKit) and buildah, from Debian's packages into a tree of
# their own, and starts the docker daemon in it. Nothing of the host is changed but packages that are missing.
#
#   setup.sh start    (default) idempotent: keeps what exists, leaves alone what runs
#   setup.sh stop     ends the daemon it started
#
# Afterwards `$PEERS_STATE/peer CMD …` runs CMD inside the tree; the temporary folder is shared with it, and the docker client
# talks to unix://$PEERS_STATE/docker.sock. Needs root.
set -euo pipefail

tree=${PEERS_TREE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsbuild-dev/peers}
state=${PEERS_STATE:-${TMPDIR:-/tmp}/tsbuild-peers}
suite=${PEERS_SUITE:-forky}
socket=$state/docker.sock
pidfile=$state/dockerd.pid

running() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }

if [ "${1:-start}" = stop ]; then
  if running; then kill "$(cat "$pidfile")"; fi
  exit 0
fi
[ "$(id -u)" = 0 ] || { echo 'setup.sh: needs root' >&2; exit 1; }
mkdir -p "$state"

install_host_packages() {
  local missing=() name
  for name in mmdebstrap debian-archive-keyring util-linux; do
    dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
}

# The archive that the host itself uses, in either style of apt sources.
mirror() {
  cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p; s/^deb[[:space:]]\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' |
    head -n 1
}

packages=buildah,docker.io,docker-cli,docker-buildx,mount,runc,crun,netavark,uidmap,ca-certificates,git,iproute2,iptables,procps

make_tree() {
  [ "$(cat "$tree/.complete" 2>/dev/null)" != "$packages" ] || return 0
  echo "peers: making the $suite tree from packages (minutes, once)"
  umount -l "$state/ns/mnt" 2>/dev/null || true # the old tree's
  rm -rf "$tree"
  mkdir -p "$(dirname "$tree")"
  mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --include="$packages" \
    "$suite" "$tree" "$(mirror)"
  mkdir -p "$tree/etc/docker" "$tree/etc/containers" "$tree$state"
  cat >"$tree/etc/docker/daemon.json" <<JSON
{"features": {"containerd-snapshotter": true}, "iptables": false, "ip6tables": false, "bridge": "none"}
JSON
  cat >"$tree/etc/containers/policy.json" <<'JSON'
{"default": [{"type": "insecureAcceptAnything"}]}
JSON
  cat >"$tree/etc/containers/containers.conf" <<'TOML'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
TOML
  echo "$packages" >"$tree/.complete"
}

# A mount namespace kept alive by a sleeping process would need its pid; a file holds it instead.
make_namespace() {
  local ns=$state/ns
  cat >"$tree/etc/containers/storage.conf" <<TOML
[storage]
driver = "overlay"
runroot = "$state/buildah/run"
graphroot = "$state/buildah/root"
TOML
  mkdir -p "$ns"
  if ! nsenter --mount="$ns/mnt" true 2>/dev/null; then
    mountpoint -q "$ns" || { mount --bind "$ns" "$ns"; mount --make-private "$ns"; }
    umount "$ns/mnt" 2>/dev/null || true # left by a run that failed half-way
    touch "$ns/mnt"
    unshare --mount="$ns/mnt" --propagation private sh -ec '
      mount --bind "$0" "$0"; cd "$0"
      for d in proc sys dev; do mount --rbind /$d $d; done
      mkdir -p ".$1" .old; mount --bind "$1" ".$1"
      pivot_root . .old; cd /; umount -l /.old' "$tree" "${TMPDIR:-/tmp}"
  fi
  cat >"$state/peer" <<SH
#!/bin/sh
exec nsenter --mount=$ns/mnt --wd=/ env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "\$@"
SH
  chmod 755 "$state/peer"
}

start_docker() {
  running && return 0
  rm -f "$pidfile"
  setsid nohup "$state/peer" dockerd --data-root "$state/docker" --exec-root "$state/docker-exec" \
    -H "unix://$socket" -p "$pidfile" >"$state/dockerd.log" 2>&1 &
  for _ in $(seq 100); do
    "$state/peer" docker -H "unix://$socket" version >/dev/null 2>&1 && return 0
    sleep 0.3
  done
  echo "setup.sh: dockerd did not answer; see $state/dockerd.log" >&2
  return 1
}

install_host_packages
make_tree
make_namespace
start_docker
echo "peers: docker buildx $("$state/peer" docker buildx version | cut -d' ' -f2), $("$state/peer" buildah --version)"
