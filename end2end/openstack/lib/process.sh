# shellcheck shell=bash
# Processes of the lab. run/NAME.pid holds the PID and the start time: only what still has both was
# started here, so nothing of anybody else's is ever stopped, even after PIDs came round again.

started_at() { awk '$3 != "Z" {print $22}' "/proc/$1/stat" 2>/dev/null || true; }
listens() { (exec 3<>"/dev/tcp/$IP/$1") 2>/dev/null; }
alive() { # NAME
  local pid at
  [ -f "$STATE/run/$1.pid" ] && read -r pid at <"$STATE/run/$1.pid" || return 1
  [ -n "$at" ] && [ "$(started_at "$pid")" = "$at" ]
}
start() { # NAME PORT|- COMMAND...: in a session of its own, so that its group is all it starts
  local name=$1 port=$2 pid
  shift 2
  alive "$name" && return 0
  if [ "$port" != - ] && listens "$port"; then
    die "port $port is taken by a process that is not the lab's; end it, or move the lab's $name with a PORT_ variable (lib/settings.sh)"
  fi
  # Without the lab's lock (9), which it would hold for life.
  setsid nohup "$@" >>"$STATE/log/$name.out" 2>&1 </dev/null 9>&- &
  pid=$!
  disown "$pid"
  sleep 0.05
  echo "$pid $(started_at $pid)" >"$STATE/run/$name.pid"
}
service() { # NAME PORT|- ENTRY_POINT ARGUMENTS...: an OpenStack program out of a Python library
  local name=$1 port=$2
  shift 2
  start "$name" "$port" $PY "$STATE/py/run.py" "$@"
}
tool() { $PY "$STATE/py/run.py" "$@"; }
wsgi() { # NAME PORT THREADS UWSGI_OPTIONS...
  local name=$1 port=$2 threads=$3
  shift 3
  start "$name" "$port" uwsgi --ini "$STATE/etc/uwsgi.ini" --http-socket "$IP:$port" --threads "$threads" --procname "uwsgi-$name" "$@"
}
uwsgi_config() { # one process without a master: the cheapest way to serve a WSGI application
  cat >"$STATE/etc/uwsgi.ini" <<CONF
[uwsgi]
plugins = python3
pythonpath = $STATE/py
master = false
processes = 1
enable-threads = true
lazy-apps = true
need-app = true
die-on-term = true
buffer-size = 65535
post-buffering = 65535
add-header = Connection: close
disable-logging = true
listen = 128
log-date = true
CONF
}

gone() { # NAME: says why a process has ended, and ends the bring-up
  tail -n 20 "$STATE/log/$1.out" "$STATE/log/$1.log" >&2 2>/dev/null || true
  die "$1 ended by itself: see $STATE/log/$1.out and $1.log"
}
wait_port() { # NAME PORT SECONDS: long ones, for machines that compile beside it
  for _ in $(seq 1 $(($3 * 5))); do
    listens "$2" && return 0
    alive "$1" || gone "$1"
    sleep 0.2
  done
  die "$1 does not listen on port $2 after $3 s: see $STATE/log/$1.out and $1.log"
}
wait_http() { # NAME URL SECONDS: any answer below 500 is a living API
  local code
  for _ in $(seq 1 $(($3 * 5))); do
    code=$(curl -s -o /dev/null -m 10 -w '%{http_code}' "$2" || true)
    [ "$code" != 000 ] && [ "$code" -lt 500 ] && return 0
    alive "$1" || gone "$1"
    sleep 0.2
  done
  die "$1 does not answer at $2 after $3 s: see $STATE/log/$1.out and $1.log"
}
once() { # MARKER COMMAND...: a step of set-up, one time in the life of a state
  local marker=$1
  [ -e "$STATE/done/$marker" ] && return 0
  shift
  "$@" >>"$STATE/log/setup-$marker.log" 2>&1 || {
    tail -n 30 "$STATE/log/setup-$marker.log" >&2
    die "set-up step $marker: see $STATE/log/setup-$marker.log"
  }
  touch "$STATE/done/$marker"
}

all_names() { find "$STATE/run" -name '*.pid' -printf '%f\n' 2>/dev/null | sed 's/\.pid$//' | sort; }
is_backend() { case $1 in mariadb | rabbitmq | memcached | epmd) true ;; *) false ;; esac; }
stop_these() { # SECONDS NAME...: asks, waits, then insists
  local seconds=$1 name pid left
  shift
  [ $# -gt 0 ] || return 0
  for name in "$@"; do read -r pid _ <"$STATE/run/$name.pid" && kill -TERM -- "-$pid" 2>/dev/null || true; done
  for _ in $(seq 1 $((seconds * 5))); do
    left=0
    for name in "$@"; do if alive "$name"; then left=1; fi; done
    [ $left = 0 ] && break
    sleep 0.2
  done
  # What is left of the groups: a leader may have gone before its children.
  for name in "$@"; do read -r pid _ <"$STATE/run/$name.pid" && kill -KILL -- "-$pid" 2>/dev/null || true; done
}
stop_all() { # the services first, database and bus last
  local name services=() backends=()
  [ -d "$STATE/run" ] || return 0
  for name in $(all_names); do
    alive "$name" || continue
    if is_backend "$name"; then backends+=("$name"); else services+=("$name"); fi
  done
  stop_these 4 ${services[@]+"${services[@]}"}
  stop_these 20 ${backends[@]+"${backends[@]}"}
  rm -f "$STATE"/run/*.pid
}
status() {
  local name pid rss cpu total=0 whole=true
  [ -n "$(all_names)" ] || { echo "the lab is down"; return 1; }
  printf '%-18s %8s %9s %8s\n' NAME PID RSS_MB CPU_S
  for name in $(all_names); do
    read -r pid _ <"$STATE/run/$name.pid"
    if alive "$name"; then
      # with its children: RabbitMQ stands behind a shell
      rss=$(ps -o rss= --pid "$pid" --ppid "$pid" | awk '{s += $1} END {print int(s / 1024)}')
      cpu=$(ps -o cputimes= --pid "$pid" --ppid "$pid" | awk '{s += $1} END {print s}')
      printf '%-18s %8s %9s %8s\n' "$name" "$pid" "$rss" "$cpu"
      total=$((total + rss))
    else
      printf '%-18s %8s %9s\n' "$name" "$pid" ENDED
      whole=false
    fi
  done
  echo "together $total MB"
  $whole
}
