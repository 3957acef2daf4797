#!/usr/bin/env python3
"""Proves the lab: the life of a tenant from project to deletion, by plain HTTP, with the time of each step.

    prove.py [SERVERS]      SERVERS are booted at once near the end (10)

The account comes from the file that LINGBAO_OPENSTACK names. Nothing is left behind when all goes well.
"""
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

with open(os.environ['LINGBAO_OPENSTACK'], encoding='utf-8') as file:
    ACCESS = json.load(file)
SERVERS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
TAG = 'prove-' + uuid.uuid4().hex[:6]
# Cinder answers 400 to a version header that names another service: one for each.
VERSIONS = {'compute': 'compute 2.93', 'volumev3': 'volume 3.70', 'placement': 'placement 1.9'}
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP3Cr632C2dNhhgKVcon4ldUSAeKiku2yP9O9/bDtY prove'
steps = 0


class Refused(Exception):
    """An answer of 400 and above, with its code."""

    def __init__(self, what, error):
        self.code = error.code
        super().__init__(f'{what}: {error.code} {error.read().decode(errors="replace")[:600]}')


def http(method, url, body=None, raw=None, headers=None):
    """Answer as JSON (or {}), and its headers."""
    headers = {'Content-Type': 'application/json' if raw is None else 'application/octet-stream', **(headers or {})}
    data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=120) as answer:
            text = answer.read()
            return (json.loads(text) if text[:1] in (b'{', b'[') else {}), answer.headers
    except urllib.error.HTTPError as error:
        raise Refused(f'{method} {url}', error) from None


class Cloud:
    """A signed-in account: cloud(METHOD, SERVICE, PATH, BODY) asks a service of its catalogue."""

    def __init__(self, identity, project=None):
        scope = {'scope': {'project': {'name': project, 'domain': {'name': ACCESS['project_domain']}}}} if project else {}
        answer, headers = http('POST', ACCESS['auth_url'] + '/auth/tokens', {'auth': {'identity': identity, **scope}})
        self.token, self.project = headers['X-Subject-Token'], answer['token']['project']['id']
        self.user = answer['token']['user']['id']
        self.urls = {one['type']: next(e['url'] for e in one['endpoints'] if e['interface'] == 'public')
                     for one in answer['token']['catalog']}
        self.urls['identity'] = ACCESS['auth_url']

    def __call__(self, method, service, path, body=None, raw=None):
        headers = {'X-Auth-Token': self.token}
        if service in VERSIONS:
            headers['OpenStack-API-Version'] = VERSIONS[service]
        return http(method, self.urls[service] + path, body, raw, headers)[0]


def by_password(user, password):
    domain = {'name': ACCESS['user_domain']}
    return {'methods': ['password'], 'password': {'user': {'name': user, 'domain': domain, 'password': password}}}


def timed(what, do):
    global steps
    begun = time.monotonic()
    result = do()
    steps += 1
    print(f'{what:<46} {time.monotonic() - begun:8.2f} s', flush=True)
    return result


def until(read, *wanted, limit=180):
    """Waits until read() gives one of the wanted states."""
    begun = time.monotonic()
    while (state := read()) not in wanted:
        if state.lower() in ('error', 'error_restoring', 'killed') or time.monotonic() - begun > limit:
            sys.exit(f'state {state}, wanted {wanted}')
        time.sleep(0.1)


def until_gone(read, limit=180):
    begun = time.monotonic()
    while True:
        try:
            state = read()
        except Refused as error:
            if error.code == 404:
                return
            raise
        if time.monotonic() - begun > limit:
            sys.exit(f'still there: {state}')
        time.sleep(0.1)


# ---- the portal's account, by password and by application credential, makes a tenant
portal = timed('token of the portal, by password', lambda: Cloud(by_password(ACCESS['user'], ACCESS['password']), ACCESS['project']))
credential = timed('token, by application credential', lambda: Cloud({'methods': ['application_credential'], 'application_credential': {
    'id': ACCESS['application_credential_id'], 'secret': ACCESS['application_credential_secret']}}))
default = portal('GET', 'identity', '/projects/' + portal.project)['project']['domain_id']


def tenant():
    project = credential('POST', 'identity', '/projects', {'project': {'name': TAG, 'domain_id': default}})['project']['id']
    user = portal('POST', 'identity', '/users', {'user': {'name': TAG, 'domain_id': default, 'password': TAG}})['user']['id']
    member = portal('GET', 'identity', '/roles?name=member')['roles'][0]['id']
    for one in (user, portal.user):
        portal('PUT', 'identity', f'/projects/{project}/users/{one}/roles/{member}')
    return project, user


def quotas(who, cores):
    who('PUT', 'compute', '/os-quota-sets/' + project, {'quota_set': {'instances': 80, 'cores': cores, 'ram': 400000}})
    who('PUT', 'network', '/v2.0/quotas/' + project, {'quota': {'port': 300, 'floatingip': 20}})
    who('PUT', 'volumev3', '/os-quota-sets/' + project, {'quota_set': {'volumes': 100, 'gigabytes': 2000, 'backups': 10}})


project, user = timed('project, user, role', tenant)
timed('quotas of Nova, Neutron, Cinder', lambda: quotas(credential, 160))
timed("token of the portal in the tenant's project", lambda: Cloud(by_password(ACCESS['user'], ACCESS['password']), TAG))
me = timed('token of the tenant', lambda: Cloud(by_password(TAG, TAG), TAG))

# ---- what the cloud offers
zones = sorted(one['zoneName'] for one in me('GET', 'compute', '/os-availability-zone')['availabilityZoneInfo'])
types = sorted(one['name'] for one in me('GET', 'volumev3', '/types')['volume_types'] if one['is_public'])
flavours = {one['name']: one['id'] for one in me('GET', 'compute', '/flavors')['flavors']}
images = {one['name']: one['id'] for one in me('GET', 'image', '/v2/images')['images']}
outside = me('GET', 'network', '/v2.0/networks?router:external=true')['networks'][0]['id']
print(f'   zones {zones}, volume types {types}, flavours {sorted(flavours)}, images {sorted(images)}')
assert zones == ['gov', 'internet'] and types == ['ssd', 'standard']
assert {'lb.1c2g', 'lb.8c32g'} <= set(flavours) and {'kylin-v10', 'openeuler-22.03', 'uos-20'} <= set(images)

# ---- networks
net = timed('network', lambda: me('POST', 'network', '/v2.0/networks', {'network': {'name': TAG}}))['network']['id']
subnet = timed('subnet', lambda: me('POST', 'network', '/v2.0/subnets', {
    'subnet': {'network_id': net, 'ip_version': 4, 'cidr': '10.99.0.0/22'}}))['subnet']['id']
router = timed('router with gateway', lambda: me('POST', 'network', '/v2.0/routers', {
    'router': {'name': TAG, 'external_gateway_info': {'network_id': outside}}}))['router']['id']
timed('router interface', lambda: me('PUT', 'network', f'/v2.0/routers/{router}/add_router_interface', {'subnet_id': subnet}))
group = me('POST', 'network', '/v2.0/security-groups', {'security_group': {'name': TAG}})['security_group']['id']
timed('security group rule', lambda: me('POST', 'network', '/v2.0/security-group-rules', {'security_group_rule': {
    'security_group_id': group, 'direction': 'ingress', 'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22}}))
timed('key pair', lambda: me('POST', 'compute', '/os-keypairs', {'keypair': {'name': TAG, 'type': 'ssh', 'public_key': KEY}}))


# ---- one server
def server_state(server):
    return lambda: me('GET', 'compute', '/servers/' + server)['server']['status']


def boot(name, zone='gov'):
    return me('POST', 'compute', '/servers', {'server': {
        'name': name, 'imageRef': images['kylin-v10'], 'flavorRef': flavours['lb.1c2g'], 'key_name': TAG, 'availability_zone': zone,
        'networks': [{'uuid': net}], 'security_groups': [{'name': TAG}]}})['server']['id']


def boot_and_wait(zone):
    made = boot(f'{TAG}-{zone}', zone)
    until(server_state(made), 'ACTIVE')
    return made


server = timed('boot a server in gov until ACTIVE', lambda: boot_and_wait('gov'))
other = timed('boot a server in internet until ACTIVE', lambda: boot_and_wait('internet'))
for one, zone in ((server, 'gov'), (other, 'internet')):
    stands = me('GET', 'compute', '/servers/' + one)['server']['OS-EXT-AZ:availability_zone']
    assert stands == zone, stands


def floating():
    port = me('GET', 'network', '/v2.0/ports?device_id=' + server)['ports'][0]
    assert port['status'] == 'ACTIVE', port
    made = me('POST', 'network', '/v2.0/floatingips', {'floatingip': {'floating_network_id': outside, 'port_id': port['id']}})['floatingip']

    def shown():
        nets = me('GET', 'compute', '/servers/' + server)['server']['addresses'].values()
        return 'shown' if any(one['OS-EXT-IPS:type'] == 'floating' for net in nets for one in net) else 'not yet'
    until(shown, 'shown')
    return made['id']


def act(body, *wanted):
    me('POST', 'compute', f'/servers/{server}/action', body)
    until(server_state(server), *wanted)


def image_of_server():
    made = me('POST', 'compute', f'/servers/{server}/action', {'createImage': {'name': TAG}})['image_id']
    until(lambda: me('GET', 'image', '/v2/images/' + made)['status'], 'active')
    # The server is busy a moment longer and would refuse the next action.
    until(lambda: str(me('GET', 'compute', '/servers/' + server)['server']['OS-EXT-STS:task_state']), 'None')
    return made


ip = timed('floating IP until Nova shows it', floating)
timed('stop until SHUTOFF', lambda: act({'os-stop': None}, 'SHUTOFF'))
timed('start until ACTIVE', lambda: act({'os-start': None}, 'ACTIVE'))
timed('reboot until ACTIVE', lambda: act({'reboot': {'type': 'SOFT'}}, 'ACTIVE'))
timed('resize until VERIFY_RESIZE', lambda: act({'resize': {'flavorRef': flavours['lb.2c4g']}}, 'VERIFY_RESIZE'))
timed('confirm until ACTIVE', lambda: act({'confirmResize': None}, 'ACTIVE'))
image = timed('image of the server until active', image_of_server)
timed('shelve until SHELVED_OFFLOADED', lambda: act({'shelve': None}, 'SHELVED_OFFLOADED'))
timed('unshelve until ACTIVE', lambda: act({'unshelve': None}, 'ACTIVE'))


# ---- volumes, their snapshots and backups
def volume_state(volume):
    return lambda: me('GET', 'volumev3', '/volumes/' + volume)['volume']['status']


def make_volume(**more):
    made = me('POST', 'volumev3', '/volumes', {'volume': {'size': 10, 'name': TAG, 'volume_type': 'ssd', **more}})['volume']['id']
    until(volume_state(made), 'available')
    return made


def attach():
    me('POST', 'compute', f'/servers/{server}/os-volume_attachments', {'volumeAttachment': {'volumeId': volume}})
    until(volume_state(volume), 'in-use')


def detach():
    me('DELETE', 'compute', f'/servers/{server}/os-volume_attachments/{volume}')
    until(volume_state(volume), 'available')


def extend():
    me('POST', 'volumev3', f'/volumes/{volume}/action', {'os-extend': {'new_size': 12}})
    until(volume_state(volume), 'available')


def make_snapshot():
    made = me('POST', 'volumev3', '/snapshots', {'snapshot': {'volume_id': volume, 'name': TAG}})['snapshot']['id']
    until(lambda: me('GET', 'volumev3', '/snapshots/' + made)['snapshot']['status'], 'available')
    return made


def backup_state(backup):
    return lambda: me('GET', 'volumev3', '/backups/' + backup)['backup']['status']


def make_backup(**more):
    made = me('POST', 'volumev3', '/backups', {'backup': {'volume_id': volume, 'name': TAG, **more}})['backup']['id']
    until(backup_state(made), 'available')
    return made


def restore(backup, **target):
    made = me('POST', 'volumev3', f'/backups/{backup}/restore', {'restore': target})['restore']['volume_id']
    until(backup_state(backup), 'available')
    until(volume_state(made), 'available')
    return made


def delete(kind, *ids):
    for one in ids:
        me('DELETE', 'volumev3', f'/{kind}/{one}')
        until_gone(lambda one=one: me('GET', 'volumev3', f'/{kind}/{one}'))


volume = timed('volume until available', make_volume)
timed('attach until in-use', attach)
in_use = timed('backup of a volume in use until available', lambda: make_backup(force=True))
until(volume_state(volume), 'in-use')
timed('detach until available', detach)
timed('extend until available', extend)
snapshot = timed('volume snapshot until available', make_snapshot)
from_snapshot = timed('volume from snapshot', lambda: make_volume(snapshot_id=snapshot, size=12))
from_image = timed('volume from image', lambda: make_volume(imageRef=images['uos-20'], volume_type='standard'))
backup = timed('backup until available', make_backup)
until(volume_state(volume), 'available')
more = timed('incremental backup until available', lambda: make_backup(incremental=True))
restored = timed('restore to a new volume', lambda: restore(backup))
timed('restore to the same volume', lambda: restore(more, volume_id=volume))
timed('delete three backups until gone', lambda: delete('backups', more, backup, in_use))
timed('delete a volume from a snapshot, the snapshot', lambda: (delete('volumes', from_snapshot), delete('snapshots', snapshot)))

# ---- figures
limits = timed('limits of Nova', lambda: me('GET', 'compute', '/limits'))['limits']['absolute']
print('   instances {totalInstancesUsed}/{maxTotalInstances}, cores {totalCoresUsed}/{maxTotalCores}, MiB {totalRAMUsed}/{maxTotalRAMSize}'.format(**limits))
used = timed('quota and use of Neutron', lambda: me('GET', 'network', f'/v2.0/quotas/{project}/details.json'))['quota']
print('   ports', used['port'])
used = timed('quota and use of Cinder', lambda: me('GET', 'volumev3', f'/os-quota-sets/{project}?usage=true'))['quota_set']
print('   volumes', used['volumes'], 'GiB', used['gigabytes'], 'backups', used['backups'])
assert used['backups']['in_use'] == 0 and used['volumes']['in_use'] == 3, used
day = time.strftime('%Y-%m-%d', time.gmtime())
usage = timed('usage of the tenant', lambda: portal(
    'GET', 'compute', f'/os-simple-tenant-usage/{project}?start={day}T00:00:00&end={day}T23:59:59'))['tenant_usage']
assert len(usage['server_usages']) == 2, usage

# ---- many servers, and one too many


def boot_many():
    made = [boot(f'{TAG}-{n}', ('gov', 'internet')[n % 2]) for n in range(SERVERS)]

    def states():
        all_states = {one['id']: one['status'] for one in me('GET', 'compute', '/servers/detail')['servers']}
        ours = {all_states.get(one) for one in made}
        return 'ERROR' if 'ERROR' in ours else 'ACTIVE' if ours <= {'ACTIVE'} else 'waiting'
    until(states, 'ACTIVE', limit=600)
    return made


def delete_servers():
    for one in [server, other, *many]:
        me('DELETE', 'compute', '/servers/' + one)
    until(lambda: 'left' if me('GET', 'compute', '/servers')['servers'] else 'gone', 'gone', limit=600)


many = timed(f'boot {SERVERS} servers until all ACTIVE', boot_many)
timed('list all servers in detail', lambda: me('GET', 'compute', '/servers/detail'))
quotas(portal, SERVERS + 3)  # what stands uses SERVERS + 3 cores
try:
    boot(TAG + '-too-many')
    sys.exit('a server above the quota was accepted')
except Refused as error:
    assert error.code == 403 and 'Quota exceeded for cores' in str(error), error
    print('   above the quota: 403')
timed(f'delete {SERVERS + 2} servers until gone', delete_servers)
left = portal('GET', 'placement', '/usages?project_id=' + project)['usages']
assert not any(left.values()), left

# ---- nothing stays

def tidy():
    delete('volumes', volume, restored, from_image)
    me('DELETE', 'image', '/v2/images/' + image)
    me('DELETE', 'compute', '/os-keypairs/' + TAG)
    me('DELETE', 'network', '/v2.0/floatingips/' + ip)
    me('PUT', 'network', f'/v2.0/routers/{router}/remove_router_interface', {'subnet_id': subnet})
    for kind, one in (('routers', router), ('networks', net), ('security-groups', group)):
        me('DELETE', 'network', f'/v2.0/{kind}/{one}')
    for kind, one in (('users', user), ('projects', project)):
        portal('DELETE', 'identity', f'/{kind}/{one}')


timed('tidy up', tidy)
print(f'{steps} passed, 0 failed')
