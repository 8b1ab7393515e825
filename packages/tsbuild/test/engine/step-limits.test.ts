/** Hosts and limits of RUN steps are checked before anything runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entitlement, hostEntry, ulimit } from '../../src/engine/step-limits.js';

test('addresses of added hosts', () => {
  for (const address of ['10.0.0.5', '::1', 'fe80::1%eth0'])
    assert.equal(hostEntry({ name: 'a', address }).address, address);
  assert.equal(hostEntry({ name: 'a', address: 'host-gateway' }).address, '127.0.0.1');
  for (const address of ['', 'db', '1.2.3', '1.2.3.4 evil']) {
    assert.throws(() => hostEntry({ name: 'a', address }), { code: 'TSB_USAGE_OPTION' });
  }
});

test('resource limits', () => {
  const good = [
    { name: 'nofile', soft: 10, hard: 10 },
    { name: 'core', soft: -1, hard: -1 },
    { name: 'core', soft: 0, hard: -1 },
  ];
  for (const each of good) assert.deepEqual(ulimit(each), each);
  assert.throws(() => ulimit({ name: 'nofiles', soft: 1, hard: 1 }), {
    message: 'unknown resource limit nofiles (did you mean nofile?)',
  });
  assert.throws(() => ulimit({ name: 'nofile', soft: 2, hard: 1 }), { code: 'TSB_USAGE_OPTION' });
  assert.throws(() => ulimit({ name: 'nofile', soft: -1, hard: 1 }), { code: 'TSB_USAGE_OPTION' });
});

test('entitlements', () => {
  assert.equal(entitlement('security.insecure'), 'security.insecure');
  assert.throws(() => entitlement('security.insecur'), {
    message: 'unknown entitlement security.insecur (did you mean security.insecure?)',
  });
});
