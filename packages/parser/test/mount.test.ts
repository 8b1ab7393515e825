import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMount } from '@tsbuild/parser';

const same = (value: string) => value;

test('mounts are read with their defaults', () => {
  const table: [raw: string, spec: object][] = [
    ['target=/x', { type: 'bind', readonly: true, required: false, target: '/x' }],
    [
      'type=bind,from=a,src=b,dst=c,rw',
      { type: 'bind', readonly: false, required: false, from: 'a', source: 'b', target: 'c' },
    ],
    [
      'type=CACHE,id=i,target=/c,sharing=locked,mode=0700,uid=1,gid=2',
      {
        type: 'cache',
        readonly: false,
        required: false,
        id: 'i',
        target: '/c',
        sharing: 'locked',
        mode: 0o700,
        uid: 1,
        gid: 2,
      },
    ],
    ['type=cache,target=/c,ro', { type: 'cache', readonly: true, required: false, target: '/c' }],
    [
      'type=tmpfs,destination=/t,size=1.5g',
      {
        type: 'tmpfs',
        readonly: false,
        required: false,
        target: '/t',
        size: 1536 * 1024 * 1024,
      },
    ],
    [
      'type=secret,id=s,env=TOKEN,required',
      { type: 'secret', readonly: true, required: true, id: 's', env: 'TOKEN' },
    ],
    ['type=ssh,required=true,mode=600', { type: 'ssh', readonly: true, required: true, mode: 0o600 }],
    ['READONLY=false,Target=/x', { type: 'bind', readonly: false, required: false, target: '/x' }],
    [
      '"target=/a,b","source=a ""q"""',
      { type: 'bind', readonly: true, required: false, target: '/a,b', source: 'a "q"' },
    ],
    ['readwrite=false,target=a=b', { type: 'bind', readonly: true, required: false, target: 'a=b' }],
  ];
  for (const [raw, spec] of table) assert.deepEqual(parseMount(raw, same), spec, raw);
});

test('values are expanded, keys are not', () => {
  const seen: string[] = [];
  const spec = parseMount('type=$t,target=$d', (value) => {
    seen.push(value);
    return value === '$t' ? 'cache' : '/deps,x';
  });
  assert.deepEqual(spec, { type: 'cache', readonly: false, required: false, target: '/deps,x' });
  assert.deepEqual(seen, ['$t', '$d']);
});

test('what is wrong is named', () => {
  const table: [raw: string, message: string][] = [
    ['', 'failed to parse csv mounts: EOF'],
    ['a"b', 'failed to parse csv mounts: parse error on line 1, column 2: bare " in non-quoted-field'],
    [
      '"a',
      'failed to parse csv mounts: parse error on line 1, column 3: extraneous or missing " in quoted-field',
    ],
    ['foo', "invalid field 'foo' must be a key=value pair"],
    ['type=binf', 'unsupported mount type "binf" (did you mean bind?)'],
    ['type=cache,sharing=lock', 'unsupported sharing value "lock" (did you mean locked?)'],
    ['taget=/x', "unexpected key 'taget' in 'taget=/x' (did you mean target?)"],
    ['type=bind,required', "unexpected key 'required' for mount type 'bind'"],
    ['size=1m', "unexpected key 'size' for mount type 'bind'"],
    ['type=tmpfs,size=x', 'invalid value for size: x'],
    ['ro=maybe', 'invalid value for ro: maybe'],
    ['type=cache,mode=9', 'invalid value 9 for mode'],
    ['type=cache,uid=-1', 'invalid value -1 for uid'],
    ['mode=1', 'mode not allowed for "bind" type mounts'],
    ['type=tmpfs,gid=1', 'gid not allowed for "tmpfs" type mounts'],
    ['type=tmpfs,sharing=shared', 'invalid cache sharing set for tmpfs mount'],
    ['type=secret,sharing=shared,id=x', 'secret mount should not define sharing'],
    ['type=tmpfs,size=1ki', 'invalid value for size: 1ki'],
    ['type=tmpfs,size=1.5.5g', 'invalid value for size: 1.5.5g'],
    ['type=secret', 'invalid secret mount. one of source, target required'],
    ['type=secret,from=x,id=y', 'secret mount should not have a from'],
    ['type=secret,source=x,id=y', "both source and id can't be set"],
  ];
  for (const [raw, message] of table) assert.throws(() => parseMount(raw, same), { message }, raw);
});
