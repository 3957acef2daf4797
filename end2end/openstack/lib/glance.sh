# shellcheck shell=bash
# Glance (images), storing into a folder.

glance_config() {
  mkdir -p "$STATE/etc/glance/policy.d" "$STATE/lib/glance/images" "$STATE/lib/glance/staging"
  cp "$STATE/pkg/usr/share/glance-common/glance-api-paste.ini" "$STATE/etc/glance/"
  cat >"$STATE/etc/glance/glance-api.conf" <<CONF
[DEFAULT]
bind_host = $IP
bind_port = $PORT_GLANCE
workers = 0
node_staging_uri = file://$STATE/lib/glance/staging
enabled_backends = file:file
public_endpoint = http://$IP:$PORT_GLANCE
$(common glance)
$(database_section database glance)
[paste_deploy]
flavor = keystone
config_file = $STATE/etc/glance/glance-api-paste.ini
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $STATE/lib/glance/images
[os_glance_staging_store]
filesystem_store_datadir = $STATE/lib/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $STATE/lib/glance/tasks
CONF
}
glance_schema() { tool glance.cmd.manage:main --config-file "$STATE/etc/glance/glance-api.conf" db_sync; }
glance_start() { service glance "$PORT_GLANCE" glance.cmd.api:main --config-file "$STATE/etc/glance/glance-api.conf"; }
glance_wait() { wait_http glance "http://$IP:$PORT_GLANCE/" 240; }
