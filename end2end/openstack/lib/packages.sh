# shellcheck shell=bash
# The distribution's packages, from whatever mirror this machine's apt knows.
#
# Only libraries come in: no nova-common and its like, hence no daemons, init scripts, users or
# questions. Of those we only want the paste files: they are unpacked under the state, not installed.

CORE_PACKAGES="python3-keystone python3-nova python3-glance python3-placement python3-neutron python3-cinder
  python3-pymysql python3-sqlalchemy-ext python3-memcache python3-openstackclient
  mariadb-server-core mariadb-client-core rabbitmq-server memcached uwsgi-core uwsgi-plugin-python3 curl"
HORIZON_PACKAGES="openstack-dashboard"
PASTE_PACKAGES="nova-common glance-common cinder-common neutron-common"

package_versions() { # of what is installed: part of a snapshot's key
  # shellcheck disable=SC2086
  dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $CORE_PACKAGES 2>/dev/null | grep ' installed$' || true
}
missing() { # PACKAGE...: those that are not installed, in one line
  local p
  for p in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s ' "$p"
  done
}

apt() {
  apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold \
    -o Dpkg::Options::=--force-unsafe-io -o APT::Sandbox::User=root "$@" </dev/null >>"$STATE/log/apt.log" 2>&1
}
no_packages() {
  tail -n 15 "$STATE/log/apt.log" >&2
  die "the packages could not be had. The lab needs Debian 12 (OpenStack Zed) and a package mirror in" \
    "apt's own settings: try 'apt-get update' by hand. Without a mirror, copy $DEBS from a machine" \
    "where the lab has run. What apt said: $STATE/log/apt.log"
}

install_set() { # NAME PACKAGE...: what was downloaded stays in $DEBS/NAME, for a machine without a mirror
  local kept=$DEBS/$1 wanted policy=
  shift
  wanted=$(missing "$@")
  [ -n "$wanted" ] || return 0
  command -v apt-get >/dev/null || die "no apt-get here: the lab needs Debian 12, for instance in a container"
  mkdir -p "$kept/partial"
  # Maintainer scripts would start RabbitMQ and memcached on their own ports.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
  fi
  if [ -e "$kept/complete" ]; then
    say "apt: installing what stands in $kept"
    DEBIAN_FRONTEND=noninteractive apt install --no-download "$kept"/*.deb || say "apt: it does not fit this machine"
  fi
  # Without the folder, or with one from a machine that had some of the packages before.
  wanted=$(missing "$@")
  if [ -n "$wanted" ]; then
    say "apt: reading package lists"
    apt update || say "apt: the lists could not be renewed; trying with those at hand"
    say "apt: installing ${wanted}and what they need (the core: about 340 packages, 130 MB, four minutes)"
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt -o Dir::Cache::archives="$kept" install $wanted || no_packages
    touch "$kept/complete"
  fi
  if [ -n "$policy" ]; then
    rm -f $policy
    trap - EXIT
  fi
  say "apt: done"
}

unpack_paste_files() {
  local p kept=$DEBS/paste
  mkdir -p "$kept" "$STATE/pkg"
  paste_file() { find "$kept" -name "${p}_*.deb" | sort -V | tail -1; }
  for p in $PASTE_PACKAGES; do
    if [ -z "$(paste_file)" ]; then
      (cd "$kept" && { apt download "$p" || { apt update && apt download "$p"; }; }) || no_packages
    fi
    dpkg-deb -x "$(paste_file)" "$STATE/pkg"
  done
  touch "$STATE/pkg/.done"
}

# shellcheck disable=SC2086
install_packages() {
  install_set core $CORE_PACKAGES
  if [ "$WITH_HORIZON" = 1 ]; then install_set horizon $HORIZON_PACKAGES; fi
  [ -e "$STATE/pkg/.done" ] || unpack_paste_files
}
