# shellcheck shell=bash
# Below the services: MariaDB, RabbitMQ and memcached; and what all services write about them.

DATABASES="keystone placement glance nova nova_api nova_cell0 neutron cinder"

database() { echo "mysql+pymysql://os:$PASSWORD@$IP:$PORT_DB/$1?charset=utf8"; }
database_section() { # SECTION DATABASE
  printf '[%s]\nconnection = %s\nmax_pool_size = 10\nmax_overflow = 20\nconnection_recycle_time = 600\n' "$1" "$(database "$2")"
}
account() { # SECTION USER: how a service signs in to Keystone
  cat <<CONF
[$1]
auth_type = password
auth_url = $KEYSTONE
username = $2
password = $PASSWORD
project_name = service
user_domain_id = default
project_domain_id = default
region_name = $REGION
os_region_name = $REGION
CONF
}
common() { # SERVICE: the rest of [DEFAULT] and the sections that every service has
  cat <<CONF
transport_url = rabbit://guest:guest@$IP:$PORT_RABBIT/
log_file = $STATE/log/$1.log
use_stderr = false
default_log_levels = amqp=WARN,amqplib=WARN,sqlalchemy=WARN,oslo.messaging=WARN,oslo_messaging=WARN,stevedore=WARN,keystonemiddleware=WARN,urllib3=WARN,routes.middleware=WARN,keystoneauth=WARN,taskflow=WARN

[oslo_messaging_rabbit]
heartbeat_in_pthread = false
kombu_reconnect_delay = 0.5

[oslo_messaging_notifications]
driver = noop

[oslo_concurrency]
lock_path = $STATE/lib/lock

[oslo_policy]
policy_dirs = $STATE/etc/$1/policy.d

$(account keystone_authtoken "$1")
www_authenticate_uri = $KEYSTONE
memcached_servers = $IP:$PORT_MEMCACHE
service_token_roles = service
service_token_roles_required = true
CONF
}

backends_config() {
  mkdir -p "$STATE/lib/lock" "$STATE/lib/rabbitmq"
  # A test's database: nothing is written through to the disk.
  cat >"$STATE/etc/my.cnf" <<CONF
[mariadbd]
datadir = $STATE/lib/mysql
socket = $STATE/run/mysql.sock
pid_file = $STATE/run/mariadb.own
bind_address = $IP
port = $PORT_DB
skip_name_resolve
character_set_server = utf8mb3
max_connections = 400
performance_schema = OFF
innodb_buffer_pool_size = 192M
innodb_log_file_size = 48M
innodb_flush_log_at_trx_commit = 0
innodb_flush_method = nosync
innodb_doublewrite = OFF
innodb_autoinc_lock_mode = 2
log_error = $STATE/log/mariadb.log
init_file = $STATE/etc/init.sql
CONF
  # MariaDB wants one statement a line here; otherwise it gives up with error 1064 and says little.
  {
    for name in $DATABASES; do echo "CREATE DATABASE IF NOT EXISTS $name CHARACTER SET utf8mb3;"; done
    echo "CREATE USER IF NOT EXISTS os@'$IP' IDENTIFIED BY '$PASSWORD';"
    echo "GRANT ALL ON *.* TO os@'$IP';"
  } >"$STATE/etc/init.sql"

  # No busy waiting and few schedulers: an idle RabbitMQ then costs next to nothing.
  cat >"$STATE/etc/rabbitmq-env.conf" <<CONF
NODENAME=oslab@localhost
NODE_IP_ADDRESS=$IP
NODE_PORT=$PORT_RABBIT
DIST_PORT=$PORT_ERLDIST
MNESIA_BASE=$STATE/lib/rabbitmq/mnesia
LOG_BASE=$STATE/log/rabbitmq
CONFIG_FILE=$STATE/etc/rabbitmq
ENABLED_PLUGINS_FILE=$STATE/etc/rabbitmq-plugins
PID_FILE=$STATE/run/rabbitmq.own
SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
CONF
  echo '[].' >"$STATE/etc/rabbitmq-plugins"
  cat >"$STATE/etc/rabbitmq.conf" <<CONF
log.file.level = warning
loopback_users.guest = true
vm_memory_high_watermark.absolute = 512MiB
collect_statistics_interval = 60000
CONF
}

backends_start() {
  if [ ! -d "$STATE/lib/mysql/mysql" ]; then
    mariadb-install-db --defaults-file="$STATE/etc/my.cnf" --user=root --datadir="$STATE/lib/mysql" --skip-test-db \
      --auth-root-authentication-method=normal >"$STATE/log/setup-mariadb.log" 2>&1 ||
      die "mariadb-install-db: see $STATE/log/setup-mariadb.log"
  fi
  start mariadb "$PORT_DB" mariadbd --defaults-file="$STATE/etc/my.cnf" --user=root
  start memcached "$PORT_MEMCACHE" memcached -u root -l $IP -p "$PORT_MEMCACHE" -U 0 -m 64 -t 1
  # Erlang's name server is one a machine: another's serves us as well.
  listens "$PORT_EPMD" || start epmd "$PORT_EPMD" epmd -address $IP -port "$PORT_EPMD"
  wait_port memcached "$PORT_MEMCACHE" 60
  (
    export HOME=$STATE/lib/rabbitmq ERL_EPMD_ADDRESS=$IP ERL_EPMD_PORT=$PORT_EPMD RABBITMQ_CONF_ENV_FILE=$STATE/etc/rabbitmq-env.conf
    start rabbitmq "$PORT_RABBIT" /usr/lib/rabbitmq/bin/rabbitmq-server
  )
  wait_port mariadb "$PORT_DB" 240
}
sql() { mariadb -uos -p"$PASSWORD" -h$IP -P"$PORT_DB" -N -e "$1"; }
