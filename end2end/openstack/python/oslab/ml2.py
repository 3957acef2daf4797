"""Neutron: binds every port on every host at once, since no agent will ever come to wire it."""
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class AgentlessMechanismDriver(api.MechanismDriver):
    def initialize(self):
        pass

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, {portbindings.CAP_PORT_FILTER: True},
                                status=constants.PORT_STATUS_ACTIVE)
            return

    def create_port_postcommit(self, context):
        # A router's ports would wait for an L3 agent.
        if context.current['device_owner'].startswith('network:router'):
            context._plugin.update_port_status(context._plugin_context, context.current['id'], constants.PORT_STATUS_ACTIVE)
