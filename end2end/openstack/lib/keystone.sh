# shellcheck shell=bash
# Keystone (identity) and Placement, the two that are plain WSGI applications.

keystone_config() {
  mkdir -p "$STATE/etc/keystone/policy.d" "$STATE/lib/keystone"
  cat >"$STATE/etc/keystone/keystone.conf" <<CONF
[DEFAULT]
log_file = $STATE/log/keystone.log
use_stderr = false
$(database_section database keystone)
[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = $IP:$PORT_MEMCACHE
[identity]
# cheap: a test signs in thousands of times
password_hash_rounds = 4
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = $STATE/lib/keystone/fernet
[credential]
key_repository = $STATE/lib/keystone/credential
[oslo_policy]
policy_dirs = $STATE/etc/keystone/policy.d
[oslo_middleware]
enable_proxy_headers_parsing = true
CONF
}
keystone_manage() { keystone-manage --config-file "$STATE/etc/keystone/keystone.conf" "$@"; }
keystone_schema() {
  mkdir -p "$STATE/lib/keystone/fernet" "$STATE/lib/keystone/credential"
  keystone_manage fernet_setup --keystone-user root --keystone-group root
  keystone_manage credential_setup --keystone-user root --keystone-group root
  keystone_manage db_sync
  keystone_manage bootstrap --bootstrap-password "$PASSWORD" --bootstrap-region-id "$REGION" \
    --bootstrap-admin-url "$KEYSTONE/" --bootstrap-internal-url "$KEYSTONE/" --bootstrap-public-url "$KEYSTONE/"
}
keystone_start() {
  OS_KEYSTONE_CONFIG_FILES=$STATE/etc/keystone/keystone.conf OS_KEYSTONE_CONFIG_DIR=$STATE/etc/keystone \
    wsgi keystone "$PORT_KEYSTONE" 8 --wsgi-file /usr/bin/keystone-wsgi-public
}
keystone_wait() { wait_http keystone "$KEYSTONE" 240; }

placement_config() {
  mkdir -p "$STATE/etc/placement/policy.d"
  cat >"$STATE/etc/placement/placement.conf" <<CONF
[DEFAULT]
$(common placement | grep -v ^transport_url)
[api]
auth_strategy = keystone
$(database_section placement_database placement)
CONF
}
placement_schema() { tool placement.cmd.manage:main --config-file "$STATE/etc/placement/placement.conf" db sync; }
placement_start() {
  OS_PLACEMENT_CONFIG_DIR=$STATE/etc/placement wsgi placement "$PORT_PLACEMENT" 4 --wsgi-file /usr/bin/placement-api
}
placement_wait() { wait_http placement "http://$IP:$PORT_PLACEMENT/" 240; }
