"""OpenStack Swift with its S3 layer, whole in one process and on loopback: swift-server.py FOLDER PORT REGION.

The proxy listens on PORT, its three stores on the ports after it, and all data is in FOLDER. Users are `test:owner` with the
key `owning`, who may do everything, and `test:guest` with the key `visiting`, who may write nowhere.
"""
import os
import sys

import eventlet
import eventlet.hubs
import eventlet.wsgi
from swift.common import utils

utils.eventlet_monkey_patch = getattr(utils, 'eventlet_monkey_patch', eventlet.monkey_patch)
utils.eventlet_monkey_patch()

folder, port, region = sys.argv[1], int(sys.argv[2]), sys.argv[3]

with open(os.path.join(folder, 'swift.conf'), 'w') as conf:
    conf.write('[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n')
utils.SWIFT_CONF_FILE = os.path.join(folder, 'swift.conf')
utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b'test'

from swift.common import storage_policy  # noqa: E402  (reads the file above)
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

storage_policy.reload_storage_policies()

STORES = ['account', 'container', 'object']
PROXY = f'''
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# Its stores are this process: a busy machine is no reason to give one up.
conn_timeout = 30
node_timeout = 60
recoverable_node_timeout = 60
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:tempauth]
use = egg:swift#tempauth
user_test_owner = owning .admin
user_test_guest = visiting
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
'''


class Cache:
    """What a memcached would hold; `tempauth` wants one to be there."""

    def __init__(self):
        self.values = {}

    def get(self, key, *_, **__):
        return self.values.get(key)

    def set(self, key, value, *_, **__):
        self.values[key] = value

    def incr(self, key, delta=1, **__):
        self.values[key] = int(self.values.get(key) or 0) + delta
        return self.values[key]

    def delete(self, key, *_, **__):
        self.values.pop(key, None)


def app_of(name, text):
    path = os.path.join(folder, f'{name}.conf')
    with open(path, 'w') as conf:
        conf.write(text)
    return loadapp(path, {'log_level': 'ERROR'})


def store(name, at):
    device = os.path.join(folder, 'devices', 'disk')
    os.makedirs(device, exist_ok=True)
    builder = RingBuilder(2, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1.0, 'ip': '127.0.0.1', 'port': at, 'device': 'disk'})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, f'{name}.ring.gz'))
    text = f'[DEFAULT]\nswift_dir = {folder}\ndevices = {os.path.dirname(device)}\nmount_check = false\n'
    text += f'[pipeline:main]\npipeline = server\n[app:server]\nuse = egg:swift#{name}\n'
    return app_of(name, text)


def serve(app, at):
    eventlet.spawn(eventlet.wsgi.server, eventlet.listen(('127.0.0.1', at)), app, log_output=False)


cache = Cache()
for number, name in enumerate(STORES):
    serve(store(name, port + 1 + number), port + 1 + number)
proxy = app_of('proxy', PROXY)


def with_cache(env, start_response):
    env['swift.cache'] = cache
    return proxy(env, start_response)


serve(with_cache, port)
print('ready', flush=True)
# It ends with whoever started it.
eventlet.hubs.trampoline(sys.stdin.fileno(), read=True)
