#!/bin/sh
# Gets a Consul agent for the tests: scripts/get_consul.sh FOLDER puts it at FOLDER/consul, unless it is there already.
#
# Debian 12 has none, Debian 11 has: the machine's own source of packages is asked for that suite, in folders of our own,
# so that nothing of the system changes. Signatures are checked as always.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
[ ! -x "$folder/consul" ] || exit 0
sources=/etc/apt/sources.list.d/debian.sources
command -v apt-get >/dev/null && [ -r "$sources" ] || {
  echo "get_consul.sh: only a Debian with $sources is known to have it; install Consul and name it in ALIECS_CONSUL" >&2
  exit 1
}
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
awk '/^[[:space:]]*#/{next} /^$/{if(k)exit;next} /^Suites:/{print "Suites: bullseye";k=1;next} {print}' \
  "$sources" >"$work/bullseye.sources"
apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/bullseye.sources" -o Dir::Etc::sourceparts=- \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 "$@"
}
apt update
cd "$work"
apt download consul
dpkg -x consul_*.deb root
root/usr/bin/consul version >/dev/null
mv root/usr/bin/consul "$folder/consul"
