"""Neutron: the upstream router plugin, with the floating IP's status that an L3 agent would report."""
from neutron.services.l3_router.l3_router_plugin import L3RouterPlugin
from neutron_lib import constants


class Plugin(L3RouterPlugin):
    def _settle(self, context, fip):
        fip['status'] = constants.FLOATINGIP_STATUS_ACTIVE if fip.get('port_id') else constants.FLOATINGIP_STATUS_DOWN
        self.update_floatingip_status(context.elevated(), fip['id'], fip['status'])
        return fip

    def create_floatingip(self, context, floatingip):
        return self._settle(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context, id, floatingip):
        return self._settle(context, super().update_floatingip(context, id, floatingip))
