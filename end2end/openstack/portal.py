"""portal.py FOLDER ACCESS [KEY=VALUE ...]: the configuration of a portal on the lab, with its secrets, in FOLDER.

ACCESS is the file that `lab access` names. KEY=VALUE (section.key) is put in on top, for tests: values are TOML.
Prints the path of the configuration.
"""
import json
import os
import secrets
import sys

POOLS = {'public-general': 'gov', 'public-xinchuang': 'gov', 'internet-general': 'internet', 'core-xinchuang': 'gov'}
IMAGES = {'kylin-v10': 'kylin-v10', 'uos-20': 'uos-20', 'openeuler-22': 'openeuler-22.03', 'debian-12': 'openeuler-22.03'}  # the lab has three
DISKS = {'ssd': 'ssd', 'sas': 'standard', 'sata': 'standard'}

folder, access_file, *changes = sys.argv[1:]
with open(access_file) as file:
    access = json.load(file)


def keep(name, text):
    """Writes a secret for its owner alone, once; gives its path."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as file:
            file.write(text)
    return path


def quoted(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value).lower()


def table(name, values):
    return [f'[{name}]'] + [f'{key} = {quoted(value)}' for key, value in values.items()] + ['']


os.makedirs(folder, exist_ok=True)
password = keep('keystone.password', access['password'])
one_time = keep('one-time.secret', secrets.token_hex(32))
sections = {
    'site': {'name': 'Y新区政务云自助服务平台'},
    'database': {'url': 'sqlite://' + os.path.join(folder, 'lingbao.db')},
    'crypto': {'key_file': os.path.join(folder, 'key')},
    'backends.openstack': {
        'kind': 'openstack', 'url': access['auth_url'], 'region': access['region'],
        'user': access['user'], 'user_domain': access['user_domain'], 'password_file': password,
        'project': access['project'], 'project_domain': access['project_domain'],
        'secret_file': one_time, 'external_network': 'public',
        # Nothing stands before the lab's services that would keep a request for longer.
        'settle_ms': 10_000,
        # The lab has a handful of sizes; the catalogue lets people choose any.
        'make_flavours': True,
    },
}
for change in changes:
    key, value = change.split('=', 1)
    section, name = key.rsplit('.', 1)
    sections.setdefault(section, {})[name] = json.loads(value)
lines = []
for name, values in sections.items():
    lines += table(name, values)
for name, zone in POOLS.items():
    lines += table('[backends.openstack.zones]', {'name': name, 'zone': zone})
lines += table('backends.openstack.image_names', IMAGES)
lines += table('backends.openstack.volume_types', DISKS)
path = os.path.join(folder, 'lingbao.toml')
with open(path, 'w') as file:
    file.write('\n'.join(lines))
print(path)
