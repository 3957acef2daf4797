"""Cinder: upstream's backup into a folder.

Upstream asks the host for its iSCSI, NVMe and Fibre Channel names before it attaches a volume, by
tools and rights that a test machine lacks. Our volumes are files: any name will do.
"""
from cinder.backup.drivers import posix
from cinder.volume import volume_utils


def any_name(multipath=False, enforce_multipath=False):
    return {'host': 'cinder1', 'ip': '127.0.0.1', 'initiator': 'iqn.2026-11.lab:cinder1', 'multipath': False}


volume_utils.brick_get_connector_properties = any_name


class Driver(posix.PosixBackupDriver):
    pass
