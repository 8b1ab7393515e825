"""
OpenStack Swift with its S3 API (Debian's python3-swift) in one process on the loopback interface: account, container,
object and proxy server with one replica on one folder.

  python3 s3-server.py FOLDER ACCESS_KEY SECRET_KEY REGION   prints the proxy's port once it serves; ends with its input
"""

import array
import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingData  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402


class Memory(dict):
    """What memcached is for Swift; the processes that would share it are one here."""

    def __bool__(self):
        return True

    def get(self, key, **_):
        return super().get(key)

    def set(self, key, value, **_):
        self[key] = value

    def delete(self, key, **_):
        self.pop(key, None)

    def incr(self, key, delta=1, **_):
        self[key] = super().get(key, 0) + delta
        return self[key]


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


folder, access_key, secret_key, region = sys.argv[1:5]
account, user = access_key.split(':')

utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b'tests'
utils.SWIFT_CONF_FILE = write(
    'swift.conf',
    '[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = only\ndefault = yes\n',
)
reload_storage_policies()

sockets = {name: eventlet.listen(('127.0.0.1', 0)) for name in ('account', 'container', 'object', 'proxy')}
ports = {name: socket.getsockname()[1] for name, socket in sockets.items()}
os.makedirs(os.path.join(folder, 'devices', 'd0'), exist_ok=True)
for name in ('account', 'container', 'object'):
    device = {
        'id': 0, 'region': 1, 'zone': 0, 'weight': 1.0, 'device': 'd0', 'meta': '',
        'ip': '127.0.0.1', 'port': ports[name], 'replication_ip': '127.0.0.1', 'replication_port': ports[name],
    }  # fmt: skip
    # 16 partitions, all on the one device.
    RingData([array.array('H', [0] * 16)], [device], 28).save(os.path.join(folder, f'{name}.ring.gz'))

pipelines = {name: f'{name}-server' for name in ('account', 'container', 'object')}
pipelines['proxy'] = 'catch_errors gatekeeper s3api tempauth slo dlo proxy-server'
apps = {}
for name, pipeline in pipelines.items():
    filters = ''.join(
        f'[filter:{middleware}]\nuse = egg:swift#{middleware}\n'
        + (f'location = {region}\nallow_no_owner = true\n' if middleware == 's3api' else '')
        + (f'user_{account}_{user} = {secret_key} .admin\n' if middleware == 'tempauth' else '')
        for middleware in pipeline.split()[:-1]
    )
    path = write(
        f'{name}.conf',
        f'[DEFAULT]\nswift_dir = {folder}\ndevices = {folder}/devices\nmount_check = false\nlog_level = ERROR\n'
        f'[pipeline:main]\npipeline = {pipeline}\n{filters}'
        f'[app:{name}-server]\nuse = egg:swift#{name}\naccount_autocreate = true\n',
    )
    apps[name] = loadapp(path)

cache = Memory()


def proxy(environ, start_response):
    environ['swift.cache'] = cache
    return apps['proxy'](environ, start_response)


for name, socket in sockets.items():
    app = proxy if name == 'proxy' else apps[name]
    eventlet.spawn(wsgi.server, socket, app, log_output=False, protocol=SwiftHttpProtocol, debug=False)

print(ports['proxy'], flush=True)
# The script that started this one is gone when the pipe ends, however it ended.
eventlet.tpool.execute(sys.stdin.buffer.read)
