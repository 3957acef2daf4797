"""Nova: the upstream FakeDriver, the size of a plausible rack, with two gaps filled.

Its snapshots stay `queued` for ever: ours arrive in Glance. It keeps guests in memory alone: ours
takes over what Nova's database says stood on this host, so that servers survive a restart of the lab.
"""
import io
import sys

import nova.monkey_patch  # noqa: F401 (comes first)
import nova.context
import nova.virt
from nova import objects
from nova.image import glance
from nova.virt import fake


class Driver(fake.FakeDriver):
    vcpus = 64
    memory_mb = 1024 * 1024
    local_gb = 64 * 1024

    def init_host(self, host):
        super().init_host(host)
        context = nova.context.get_admin_context()
        for instance in objects.InstanceList.get_by_host(context, host, expected_attrs=['flavor', 'info_cache']):
            if instance.launched_at is None:
                continue
            self.resources.claim(vcpus=instance.flavor.vcpus, mem=instance.flavor.memory_mb, disk=instance.flavor.root_gb)
            self.instances[instance.uuid] = fake.FakeInstance(instance.name, instance.power_state, instance.uuid)
            for vif in instance.get_network_info():
                self._interfaces[vif['id']] = vif

    def get_host_uptime(self):
        # Listing hypervisors asks for it; upstream's fake has none and logs an error each time.
        return ' 12:00:00 up 40 days,  1:00,  0 users,  load average: 0.50, 0.50, 0.50'

    def snapshot(self, context, instance, image_id, update_task_state):
        super().snapshot(context, instance, image_id, update_task_state)
        glance.API().update(context, image_id, {'disk_format': 'raw', 'container_format': 'bare'},
                            io.BytesIO(b'\0' * 65536), purge_props=False)


# `compute_driver = oslab.Driver` is looked up under nova.virt.
sys.modules['nova.virt.oslab'] = nova.virt.oslab = sys.modules[__name__]
