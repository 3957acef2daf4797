# shellcheck shell=bash
# The distribution's packages, from whatever mirror this machine's apt knows.
#
# Only libraries come in: no nova-common and its like, hence no daemons, init scripts, users or
# questions. Of those we only want the paste files: they are unpacked under the state, not installed.

wanted_packages() {
  echo python3-keystone python3-nova python3-glance python3-placement python3-neutron python3-cinder \
    python3-pymysql python3-sqlalchemy-ext python3-memcache python3-openstackclient \
    mariadb-server-core mariadb-client-core rabbitmq-server memcached uwsgi-core uwsgi-plugin-python3 curl
  if [ "$WITH_HORIZON" = 1 ]; then echo openstack-dashboard; fi
}
PASTE_PACKAGES="nova-common glance-common cinder-common neutron-common"

package_versions() { # of what is installed: part of a snapshot's key
  # shellcheck disable=SC2046
  dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $(WITH_HORIZON=0 wanted_packages) 2>/dev/null | grep ' installed$' || true
}

apt() { apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold \
  -o Dpkg::Options::=--force-unsafe-io -o Dir::Cache::archives="$DEBS" "$@" </dev/null >>"$STATE/log/apt.log" 2>&1; }

no_packages() {
  tail -n 15 "$STATE/log/apt.log" >&2
  die "the packages could not be had. The lab needs Debian 12 (OpenStack Zed) and a package mirror in" \
    "apt's own settings; try 'apt-get update' by hand. apt's words: $STATE/log/apt.log." \
    "Without a mirror: copy $DEBS from a machine where the lab has run"
}

missing_packages() {
  local p
  for p in $(wanted_packages); do
    dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
  done
}

install_packages() {
  local missing ours=
  missing=$(missing_packages | tr '\n' ' ')
  if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || die "no apt-get here: the lab needs Debian 12, for instance in a container"
    mkdir -p "$DEBS/partial"
    export DEBIAN_FRONTEND=noninteractive
    # Maintainer scripts would start RabbitMQ and memcached on their own ports.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      ours=/usr/sbin/policy-rc.d
      trap 'rm -f "$ours"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$ours"
      chmod +x "$ours"
    fi
    if [ -e "$DEBS/complete-$WITH_HORIZON" ]; then
      say "apt: installing from $DEBS, without a mirror"
      apt install --no-download "$DEBS"/*.deb || say "apt: the kept packages do not fit this machine"
    fi
    # Without the folder, or with one from a machine that had some of the packages already.
    if [ -n "$(missing_packages)" ]; then
      say "apt: reading package lists"
      apt update || say "apt: the lists could not be renewed, trying with those at hand"
      say "apt: installing $missing and what they need (about 300 packages, four minutes)"
      # shellcheck disable=SC2086
      apt install $missing || no_packages
    fi
    touch "$DEBS/complete-$WITH_HORIZON"
    if [ -n "$ours" ]; then
      rm -f "$ours"
      trap - EXIT
    fi
    say "apt: done"
  fi
  [ -e "$STATE/pkg/.done" ] || unpack_paste_files
}

unpack_paste_files() {
  local p deb kept=$DEBS/paste # apart: the folder above is installed as a whole
  mkdir -p "$kept" "$STATE/pkg"
  paste_file() { find "$kept" -name "${p}_*.deb" | sort -V | tail -1; }
  for p in $PASTE_PACKAGES; do
    if [ -z "$(paste_file)" ]; then
      (cd "$kept" && { apt-get download -q "$p" || { apt-get update -q && apt-get download -q "$p"; }; }) >>"$STATE/log/apt.log" 2>&1 || no_packages
    fi
    dpkg-deb -x "$(paste_file)" "$STATE/pkg"
  done
  touch "$STATE/pkg/.done"
}
