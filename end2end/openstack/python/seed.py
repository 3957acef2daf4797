"""seed.py identity|content|access: what a cloud has before its first tenant comes, by plain HTTP.

Every step looks first and makes what is missing; a second run changes nothing. The environment
names Keystone, password, region, the services' addresses and the number of hypervisors.
"""
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

KEYSTONE, PASSWORD, REGION = (os.environ[name] for name in ('KEYSTONE', 'PASSWORD', 'REGION'))
SERVICES = json.loads(os.environ['SERVICES'])  # type: [name, url]
NOVA, GLANCE, NEUTRON = (SERVICES[kind][1] for kind in ('compute', 'image', 'network'))
COMPUTES = int(os.environ['COMPUTES'])

ZONES = ['gov', 'internet']
VOLUME_TYPES = ['standard', 'ssd']
FLAVOURS = [(1, 2), (2, 4), (2, 8), (4, 8), (4, 16), (8, 16), (8, 32)]  # vCPU, GiB
IMAGES = [('kylin-v10', 'kylin', 'V10'), ('openeuler-22.03', 'openeuler', '22.03'), ('uos-20', 'uos', '20')]
CREDENTIAL, SECRET = 'lingbao-portal', 'lingbao-lab-secret'

token = None


def call(method, url, body=None, raw=None):
    """The answer's body and headers; a conflict means that it is there already."""
    headers = {'Content-Type': 'application/json' if raw is None else 'application/octet-stream'}
    if token:
        headers['X-Auth-Token'] = token
    data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=120) as answer:
            text = answer.read()
            return (json.loads(text) if text else {}), answer.headers
    except urllib.error.HTTPError as error:
        if error.code == 409:
            return {}, error.headers
        sys.exit(f'{method} {url}: {error.code} {error.read().decode(errors="replace")[:500]}')


def sign_in(user, project):
    """Gives the token's content: user, project and catalogue."""
    global token
    token = None
    default = {'id': 'default'}
    answer, headers = call('POST', KEYSTONE + '/auth/tokens', {'auth': {
        'identity': {'methods': ['password'], 'password': {'user': {'name': user, 'domain': default, 'password': PASSWORD}}},
        'scope': {'project': {'name': project, 'domain': default}}}})
    token = headers['X-Subject-Token']
    return answer['token']


def ensure(url, kind, path, **body):
    """The id of the thing of this name; made when missing. All services answer alike here."""
    found, _ = call('GET', f'{url}/{path}?{urllib.parse.urlencode({"name": body["name"]})}')
    for one in found[kind + 's']:
        if one['name'] == body['name']:
            return one['id']
    made, _ = call('POST', f'{url}/{path}', {kind: body})
    return made[kind]['id']


def user(name, project):
    return ensure(KEYSTONE, 'user', 'users', name=name, domain_id='default', password=PASSWORD, default_project_id=project)


def identity():
    """Roles, service users, catalogue, and the portal's own account."""
    sign_in('admin', 'admin')
    role = {name: ensure(KEYSTONE, 'role', 'roles', name=name) for name in ('admin', 'member', 'reader', 'service')}
    project = {name: ensure(KEYSTONE, 'project', 'projects', name=name, domain_id='default') for name in ('service', 'lingbao')}
    for name in ('nova', 'placement', 'neutron', 'glance', 'cinder'):
        who = user(name, project['service'])
        for one in ('admin', 'service'):
            call('PUT', f'{KEYSTONE}/projects/{project["service"]}/users/{who}/roles/{role[one]}')
    # What docs/how-to/connect-an-openstack.md says, and no more: in the projects that it makes the
    # portal has the role that it gives itself.
    portal = user('lingbao', project['lingbao'])
    call('PUT', f'{KEYSTONE}/projects/{project["lingbao"]}/users/{portal}/roles/{role["admin"]}')
    call('PUT', f'{KEYSTONE}/domains/default/users/{portal}/roles/{role["admin"]}')
    inherited = f'{KEYSTONE}/OS-INHERIT/domains/default/users/{portal}/roles'
    for one in call('GET', inherited + '/inherited_to_projects')[0]['roles']:  # an earlier seed gave one
        call('DELETE', f'{inherited}/{one["id"]}/inherited_to_projects')
    for kind, (name, url) in SERVICES.items():
        service = ensure(KEYSTONE, 'service', 'services', name=name, type=kind)
        there, _ = call('GET', f'{KEYSTONE}/endpoints?service_id={service}')
        for interface in {'public', 'internal', 'admin'} - {one['interface'] for one in there['endpoints']}:
            call('POST', KEYSTONE + '/endpoints', {'endpoint': {
                'service_id': service, 'interface': interface, 'region_id': REGION, 'url': url}})


def content():
    """Flavours, zones, images, volume types and the network outside."""
    signed = sign_in('admin', 'admin')
    cinder = SERVICES['volumev3'][1].replace('%(project_id)s', signed['project']['id'])
    for cpus, memory in FLAVOURS:
        name = f'lb.{cpus}c{memory}g'
        call('POST', NOVA + '/flavors', {'flavor': {'id': name, 'name': name, 'vcpus': cpus, 'ram': memory * 1024, 'disk': 40}})
    aggregates = {one['name']: one for one in call('GET', NOVA + '/os-aggregates')[0]['aggregates']}
    for at, zone in enumerate(ZONES):
        one = aggregates.get(zone) or call('POST', NOVA + '/os-aggregates', {
            'aggregate': {'name': zone, 'availability_zone': zone}})[0]['aggregate']
        for host in range(at + 1, COMPUTES + 1, len(ZONES)):
            if f'fake{host}' not in one.get('hosts', []):
                call('POST', f'{NOVA}/os-aggregates/{one["id"]}/action', {'add_host': {'host': f'fake{host}'}})
    for name, distro, version in IMAGES:
        if not call('GET', f'{GLANCE}/v2/images?name={name}')[0]['images']:
            made, _ = call('POST', GLANCE + '/v2/images', {
                'name': name, 'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'public', 'min_disk': 1,
                'os_type': 'linux', 'os_distro': distro, 'os_version': version})
            call('PUT', f'{GLANCE}/v2/images/{made["id"]}/file', raw=b'\0' * (1 << 20))
    for name in VOLUME_TYPES:
        ensure(cinder, 'volume_type', 'types', name=name)
    for one in call('GET', cinder + '/types')[0]['volume_types']:
        if one['name'] == '__DEFAULT__':  # Cinder's own; a tenant should choose between ours alone
            call('DELETE', f'{cinder}/types/{one["id"]}')
    outside = ensure(NEUTRON, 'network', 'v2.0/networks', **{
        'name': 'public', 'router:external': True, 'provider:network_type': 'flat', 'provider:physical_network': 'physnet1'})
    ensure(NEUTRON, 'subnet', 'v2.0/subnets', network_id=outside, name='public-v4', ip_version=4, cidr='203.0.113.0/24',
           enable_dhcp=False)


def access():
    """The portal's account and its application credential, as the file that tests and portal read."""
    signed = sign_in('lingbao', 'lingbao')
    mine = f'{KEYSTONE}/users/{signed["user"]["id"]}'
    credential = ensure(mine, 'application_credential', 'application_credentials', name=CREDENTIAL, secret=SECRET)
    print(json.dumps({
        'auth_url': KEYSTONE, 'region': REGION, 'user': 'lingbao', 'user_domain': 'Default', 'password': PASSWORD,
        'project': 'lingbao', 'project_domain': 'Default', 'project_id': signed['project']['id'],
        'application_credential_id': credential, 'application_credential_secret': SECRET,
    }, indent=2))


{'identity': identity, 'content': content, 'access': access}[sys.argv[1]]()
