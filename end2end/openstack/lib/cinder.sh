# shellcheck shell=bash
# Cinder (volumes): api, scheduler, volume (python/oslab/cinderdriver.py) and backup into a folder.

cinder_config() {
  mkdir -p "$STATE/etc/cinder/policy.d" "$STATE/lib/cinder/backups" "$STATE/lib/cinder/volumes"
  cp "$STATE/pkg/usr/share/cinder-common/api-paste.ini" "$STATE/pkg/etc/cinder/resource_filters.json" "$STATE/etc/cinder/"
  cat >"$STATE/etc/cinder/cinder.conf" <<CONF
[DEFAULT]
host = cinder1
my_ip = $IP
state_path = $STATE/lib/cinder
api_paste_config = $STATE/etc/cinder/api-paste.ini
resource_query_filters_file = $STATE/etc/cinder/resource_filters.json
auth_strategy = keystone
enabled_backends = fake
glance_api_servers = http://$IP:$PORT_GLANCE
default_volume_type = standard
backend_stats_polling_interval = 600
quota_volumes = 200
quota_gigabytes = 10000
quota_backups = 200
quota_backup_gigabytes = 10000
backup_driver = oslab.cinderbackup.Driver
backup_posix_path = $STATE/lib/cinder/backups
# the volumes are tiny: no need for pieces of 2 GB and threads of their own
backup_file_size = 1048576
backup_sha_block_size_bytes = 32768
$(common cinder)
$(database_section database cinder)
[coordination]
backend_url = file://$STATE/lib/cinder/coordination
[fake]
volume_driver = oslab.cinderdriver.Driver
volume_backend_name = fake
[nova]
interface = public
$(account nova nova | tail -n +2)
$(account service_user cinder)
send_service_user_token = true
CONF
}
cinder_schema() { tool cinder.cmd.manage:main --config-file "$STATE/etc/cinder/cinder.conf" db sync; }
cinder_start() {
  local part
  wsgi cinder-api "$PORT_CINDER" 8 --module 'cinder.wsgi.wsgi:initialize_application()' --pyargv "--config-file $STATE/etc/cinder/cinder.conf"
  for part in scheduler volume backup; do
    service "cinder-$part" - "cinder.cmd.$part:main" --config-file "$STATE/etc/cinder/cinder.conf" --log-file "$STATE/log/cinder-$part.log"
  done
}
cinder_wait() { wait_http cinder-api "http://$IP:$PORT_CINDER/" 240; }
