# shellcheck shell=bash
# Where the lab keeps its things and where it listens. Everything can be set from outside.
# Names in capitals; every other file of lib/ reads them.

# The same cache root as scripts/env, which is not sourced: it puts the Rust tools in front of PATH.
CACHE=${LINGBAO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lingbao}/openstack
STATE=${LAB_STATE:-$CACHE/state}       # databases, logs, PID files of the running lab
SNAPSHOTS=$CACHE/snapshots             # `save` writes here, `reset` reads
DEBS=$CACHE/debs                       # what apt downloaded, for the next machine
PASSWORD=${LAB_PASSWORD:-openstack}    # of every user and of the database: the lab holds nothing of worth
REGION=${LAB_REGION:-RegionOne}
COMPUTES=${LAB_COMPUTES:-2}            # fake hypervisors; the odd ones stand in zone gov, the others in internet
WITH_HORIZON=${WITH_HORIZON:-0}
IP=127.0.0.1

PORT_KEYSTONE=${PORT_KEYSTONE:-5000}
PORT_NOVA=${PORT_NOVA:-8774}
PORT_PLACEMENT=${PORT_PLACEMENT:-8778}
PORT_GLANCE=${PORT_GLANCE:-9292}
PORT_NEUTRON=${PORT_NEUTRON:-9696}
PORT_CINDER=${PORT_CINDER:-8776}
PORT_HORIZON=${PORT_HORIZON:-8000}
PORT_DB=${PORT_DB:-13306}
PORT_RABBIT=${PORT_RABBIT:-5672}
PORT_MEMCACHE=${PORT_MEMCACHE:-11211}
PORT_EPMD=${PORT_EPMD:-4369}
PORT_ERLDIST=${PORT_ERLDIST:-25672}

KEYSTONE=http://$IP:$PORT_KEYSTONE/v3
# What tests and the portal read: address, account, application credential.
ACCESS=$STATE/lingbao.json

# The services are distribution packages: they need the distribution's Python and nothing of the caller's.
PY=/usr/bin/python3
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY PYTHONDONTWRITEBYTECODE PYENV_VERSION PYTHONHOME
unset "${!OS_@}"
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost LC_ALL=C.UTF-8
# A copy in the state: no bytecode in the checkout, and editing does not reach into running services.
export PYTHONPATH=$STATE/py PYTHONWARNINGS=ignore

begun=$(date +%s%N)
say() {
  local ms=$((($(date +%s%N) - begun) / 1000000))
  printf '[lab %3d.%d s] %s\n' $((ms / 1000)) $((ms / 100 % 10)) "$*"
}
die() { say "FAILED: $*" >&2; exit 1; }
