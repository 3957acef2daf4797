# shellcheck shell=bash
# Neutron (networks): the upstream server with our agentless drivers, python/oslab/ml2.py and l3.py.

neutron_config() {
  mkdir -p "$STATE/etc/neutron/policy.d" "$STATE/lib/neutron"
  cp "$STATE/pkg/usr/share/neutron-common/api-paste.ini" "$STATE/etc/neutron/"
  cat >"$STATE/etc/neutron/neutron.conf" <<CONF
[DEFAULT]
state_path = $STATE/lib/neutron
bind_host = $IP
bind_port = $PORT_NEUTRON
api_workers = 0
api_paste_config = $STATE/etc/neutron/api-paste.ini
core_plugin = ml2
service_plugins = oslab.l3.Plugin
auth_strategy = keystone
enable_traditional_dhcp = false
# The fake hypervisor does not wait for a plugged port; each event would cost four calls.
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = true
global_physnet_mtu = 1500
$(common neutron)
$(database_section database neutron)
$(account nova nova)
$(account placement placement)
[quotas]
quota_network = 100
quota_port = 500
CONF
  cat >"$STATE/etc/neutron/ml2_conf.ini" <<CONF
[ml2]
type_drivers = flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = agentless
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet2:100:999
[ml2_type_vxlan]
vni_ranges = 1:2000
[securitygroup]
enable_security_group = true
CONF
}
neutron_files() { echo --config-file "$STATE/etc/neutron/neutron.conf" --config-file "$STATE/etc/neutron/ml2_conf.ini"; }
# shellcheck disable=SC2046
neutron_schema() { tool neutron.db.migration.cli:main $(neutron_files) upgrade heads; }
# shellcheck disable=SC2046
neutron_start() { service neutron "$PORT_NEUTRON" oslab.neutronserver:main $(neutron_files); }
neutron_wait() { wait_http neutron "http://$IP:$PORT_NEUTRON/" 240; }
