# shellcheck shell=bash
# Horizon, OpenStack's own dashboard: only with WITH_HORIZON=1, to look at what the portal has done.

horizon_start() {
  KS=$KEYSTONE MEMCACHE=$IP:$PORT_MEMCACHE wsgi horizon "$PORT_HORIZON" 8 --module oslab.horizon_wsgi:application \
    --static-map /static=/var/lib/openstack-dashboard/static
}
horizon_wait() { wait_http horizon "http://$IP:$PORT_HORIZON/auth/login/" 240; }
