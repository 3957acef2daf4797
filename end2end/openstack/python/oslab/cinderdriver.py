"""Cinder: the upstream logging driver with a finite pool, and a small file behind every volume.

The file has 1 MiB whatever the volume's size: enough for cinder-backup to read, store and write
back, and a backup of 500 GiB takes no longer than one of 1. Images are not copied.
"""
import io
import os
import shutil

from cinder.tests import fake_driver
from oslo_config import cfg


def path_of(thing):
    """The file behind a volume or a snapshot."""
    return os.path.join(cfg.CONF.state_path, 'volumes', thing['id'])


class Driver(fake_driver.FakeLoggingVolumeDriver):
    def _make(self, thing, source=None):
        if source is not None and os.path.exists(path_of(source)):
            shutil.copyfile(path_of(source), path_of(thing))
        else:
            with open(path_of(thing), 'wb') as file:
                file.truncate(1 << 20)

    def _drop(self, thing):
        if os.path.exists(path_of(thing)):
            os.remove(path_of(thing))

    def create_volume(self, volume):
        self._make(volume)
        return super().create_volume(volume)

    def delete_volume(self, volume):
        self._drop(volume)

    def create_snapshot(self, snapshot):
        self._make(snapshot, snapshot.volume)

    def delete_snapshot(self, snapshot):
        self._drop(snapshot)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._make(volume, snapshot)

    def create_cloned_volume(self, volume, src_vref):
        self._make(volume, src_vref)

    def revert_to_snapshot(self, context, volume, snapshot):
        self._make(volume, snapshot)

    def extend_volume(self, volume, new_size):
        pass

    def initialize_connection(self, volume, connector):
        # os-brick's `local` connector opens the path; upstream's answer (iSCSI without a target) serves Nova alone.
        answer = super().initialize_connection(volume, connector)
        answer['driver_volume_type'] = 'local'
        answer['data']['device_path'] = path_of(volume)
        return answer

    def initialize_connection_snapshot(self, snapshot, connector):
        return {'driver_volume_type': 'local', 'data': {'device_path': path_of(snapshot)}}

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        self._make(volume)
        return None, True

    def copy_image_to_volume(self, context, volume, image_service, image_id):
        # Asked for when a volume is imaged anew.
        self._make(volume)

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        image_service.update(context, image_meta['id'], {}, io.BytesIO(b'\0' * 65536))

    def _update_volume_stats(self):
        super()._update_volume_stats()
        self._stats['pools'][0].update(total_capacity_gb=100000, free_capacity_gb=100000, reserved_percentage=0,
                                       thin_provisioning_support=True, thick_provisioning_support=False,
                                       multiattach=True, max_over_subscription_ratio=20.0)
