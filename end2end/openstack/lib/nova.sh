# shellcheck shell=bash
# Nova (servers): api, conductor, scheduler and COMPUTES fake hypervisors (python/oslab/novadriver.py).

nova_config() {
  local i
  mkdir -p "$STATE/etc/nova/policy.d" "$STATE/lib/nova/instances"
  cp "$STATE/pkg/usr/share/nova-common/api-paste.ini" "$STATE/etc/nova/"
  cat >"$STATE/etc/nova/nova.conf" <<CONF
[DEFAULT]
my_ip = $IP
state_path = $STATE/lib/nova
instances_path = $STATE/lib/nova/instances
enabled_apis = osapi_compute
osapi_compute_listen = $IP
osapi_compute_listen_port = $PORT_NOVA
osapi_compute_workers = 1
compute_driver = oslab.Driver
allow_resize_to_same_host = true
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
resize_confirm_window = 0
cpu_allocation_ratio = 16.0
ram_allocation_ratio = 1.5
disk_allocation_ratio = 1.0
$(common nova)
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = $STATE/etc/nova/api-paste.ini
$(database_section api_database nova_api)
$(database_section database nova)
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 60
$(account placement placement)
$(account neutron neutron)
endpoint_override = http://$IP:$PORT_NEUTRON
[glance]
api_servers = http://$IP:$PORT_GLANCE
[cinder]
os_region_name = $REGION
catalog_info = volumev3::publicURL
# Cinder lets a volume be detached only by a service.
$(account service_user nova)
send_service_user_token = true
[vnc]
enabled = true
server_listen = $IP
server_proxyclient_address = $IP
novncproxy_base_url = http://$IP:6080/vnc_lite.html
[quota]
instances = 200
cores = 400
ram = 512000
CONF
  for i in $(seq 1 "$COMPUTES"); do printf '[DEFAULT]\nhost = fake%s\n' "$i" >"$STATE/etc/nova/fake$i.conf"; done
}
nova_manage() { tool nova.cmd.manage:main --config-file "$STATE/etc/nova/nova.conf" "$@"; }
nova_schema() {
  nova_manage api_db sync
  nova_manage cell_v2 map_cell0 --database_connection "$(database nova_cell0)"
  nova_manage db sync
  nova_manage cell_v2 list_cells | grep -q ' cell1 ' || nova_manage cell_v2 create_cell --name cell1 --verbose
}
nova_start() {
  local part
  for part in conductor scheduler; do
    service "nova-$part" - "nova.cmd.$part:main" --config-file "$STATE/etc/nova/nova.conf" --log-file "$STATE/log/nova-$part.log"
  done
  service nova-api "$PORT_NOVA" nova.cmd.api_os_compute:main --config-file "$STATE/etc/nova/nova.conf" --log-file "$STATE/log/nova-api.log"
}
nova_start_computes() { # they look for Placement at once
  local i
  for i in $(seq 1 "$COMPUTES"); do
    service "nova-compute$i" - +oslab.novadriver nova.cmd.compute:main --config-file "$STATE/etc/nova/nova.conf" \
      --config-file "$STATE/etc/nova/fake$i.conf" --log-file "$STATE/log/nova-compute$i.log"
  done
}
nova_wait() { wait_http nova-api "http://$IP:$PORT_NOVA/" 240; }
nova_hosts() { # a hypervisor gets servers once it has reported and stands in a cell
  local n
  for _ in $(seq 1 480); do
    n=$(sql "select count(*) from nova.compute_nodes where deleted = 0")
    [ "$n" -ge "$COMPUTES" ] && break
    sleep 0.5
  done
  nova_manage cell_v2 discover_hosts --verbose
}
workers_wait() { # what has no port reports to the database, every 10 s: longer ago, and it was before the last `down`
  local n
  for _ in $(seq 1 480); do
    n=$(sql "select
      (select count(*) from nova.services where deleted = 0 and timestampdiff(second, coalesce(last_seen_up, created_at), utc_timestamp()) < 15) +
      (select count(*) from cinder.services where deleted = 0 and timestampdiff(second, updated_at, utc_timestamp()) < 15)" 2>/dev/null || echo 0)
    # conductor and scheduler; cinder's scheduler, volume and backup
    [ "$n" -ge $((2 + COMPUTES + 3)) ] && return 0
    sleep 0.5
  done
  die "not all workers of Nova and Cinder report: see $STATE/log/nova-*.log and cinder-*.log"
}
