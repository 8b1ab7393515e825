import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { sha256, type TsbuildError } from '@tsbuild/core';
import { loadRegistriesConf, type RegistriesConf } from '../src/config/registries-conf.js';
import { parseToml } from '../src/config/toml.js';
import { parseReference } from '../src/reference.js';

async function withFiles<T>(files: Record<string, string>, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-conf-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const load = (text: string): Promise<RegistriesConf> =>
  withFiles({ conf: text }, (folder) =>
    loadRegistriesConf({ env: {}, home: '/nonexistent', path: join(folder, 'conf') }),
  );

/** `host/path` of the places an image is read from, with `!` for insecure ones and the limits of mirrors. */
const places = (conf: RegistriesConf, name: string): string[] =>
  conf
    .endpoints(parseReference(name))
    .map(
      ({ registry, repository, insecure, serves }) =>
        `${registry}/${repository}${insecure ? '!' : ''}${serves === 'all' ? '' : ` ${serves}`}`,
    );

const example = `
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal.example/bar"

[[registry.mirror]]
location = "mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "mirror-1.local:5000/mirrors/foo/"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
location = "registry.com"
mirror-by-digest-only = true
mirror = [{ location = "mirror.registry.com" }]

[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "localhost:5001"

[[registry]]
prefix = "*.wild.org"
insecure = true
[[registry.mirror]]
location = "mirror.local/wild"

[[registry]]
prefix = "bad.com"
blocked = true

[aliases]
"alpine" = "elsewhere.com/alpine"
`;

test('mirrors, remapped prefixes and wildcards lead to the places the man page says', async () => {
  const conf = await load(example);
  const table: [string, string[]][] = [
    [
      'example.com/foo/image:latest',
      [
        'mirror-0.local/mirror-for-foo/image',
        'mirror-1.local:5000/mirrors/foo/image! digest-only',
        'internal.example/bar/image',
      ],
    ],
    [
      'example.com/foo',
      [
        'mirror-0.local/mirror-for-foo',
        'mirror-1.local:5000/mirrors/foo! digest-only',
        'internal.example/bar',
      ],
    ],
    ['example.com/foobar', ['example.com/foobar']],
    ['registry.com/a/b', ['mirror.registry.com/a/b digest-only', 'registry.com/a/b']],
    ['alpine', ['localhost:5001/library/alpine', 'docker.io/library/alpine']],
    ['a.b.wild.org/x', ['mirror.local/wild/x', 'a.b.wild.org/x!']],
    ['wild.org/x', ['wild.org/x']],
    ['other.com/x', ['other.com/x']],
  ];
  for (const [name, expected] of table) assert.deepEqual(places(conf, name), expected, name);
  assert.equal(conf.isInsecure(parseReference('a.wild.org/x')), true);
  assert.equal(conf.isInsecure(parseReference('registry.com/x')), false);
  assert.throws(() => conf.endpoints(parseReference('bad.com/x')), { code: 'TSB_REGISTRY_BLOCKED' });
});

test('the longest prefix wins, down to a tag or digest', async () => {
  const digest = sha256('x');
  const conf = await load(`
[[registry]]
location = "a.com"
[[registry]]
prefix = "a.com/b"
location = "b.com"
[[registry]]
prefix = "a.com/b/c:1"
location = "c.com/one:1"
[[registry]]
prefix = "a.com/b/c@${digest}"
location = "c.com/two@${digest}"
`);
  assert.deepEqual(places(conf, 'a.com/x'), ['a.com/x']);
  assert.deepEqual(places(conf, 'a.com/b/c:2'), ['b.com/c']);
  assert.deepEqual(places(conf, 'a.com/b/c:1'), ['c.com/one']);
  assert.deepEqual(places(conf, `a.com/b/c@${digest}`), ['c.com/two']);
});

test('drop-ins replace tables of the same prefix; a user’s file keeps the system’s out', async () => {
  const registry = (prefix: string, location: string) =>
    `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`;
  const system = {
    'etc/registries.conf': registry('a.com', 'one.com') + registry('b.com', 'one.com'),
    'etc/registries.conf.d/10.conf': registry('a.com', 'two.com'),
    'etc/registries.conf.d/20.conf': registry('a.com', 'three.com'),
    'etc/registries.conf.d/30.txt': 'not read',
    'home/.config/containers/registries.conf.d/x.conf': registry('c.com', 'four.com'),
  };
  const read = (files: Record<string, string>, env = {}) =>
    withFiles(files, async (folder) => {
      const conf = await loadRegistriesConf({
        env,
        home: join(folder, 'home'),
        systemFolder: join(folder, 'etc'),
      });
      return ['a.com/x', 'b.com/x', 'c.com/x'].map((name) => places(conf, name)[0]);
    });
  assert.deepEqual(await read(system), ['three.com/x', 'one.com/x', 'four.com/x']);
  assert.deepEqual(
    await read({ ...system, 'home/.config/containers/registries.conf': registry('b.com', 'mine.com') }),
    ['a.com/x', 'mine.com/x', 'four.com/x'],
  );
  assert.deepEqual(await read({ ...system }, { CONTAINERS_REGISTRIES_CONF: '/dev/null' }), [
    'a.com/x',
    'b.com/x',
    'c.com/x',
  ]);
});

test('the old format still says what is insecure and blocked', async () => {
  const conf = await load(
    '[registries.search]\nregistries = ["x.com"]\n[registries.insecure]\nregistries = ["i.com"]\n[registries.block]\nregistries = ["b.com"]\n',
  );
  assert.equal(conf.isInsecure(parseReference('i.com/x')), true);
  assert.throws(() => conf.endpoints(parseReference('b.com/x')), { code: 'TSB_REGISTRY_BLOCKED' });
});

test('faults name the file and what is wrong', async () => {
  const table: [string, RegExp][] = [
    ['[[registry]]\nlocation = 5\n', /location is not a string/],
    ['[[registry]]\ninsecure = true\n', /neither prefix nor location/],
    ['[[registry]]\nlocation = "https://a.com"\n', /leave out the scheme/],
    ['[[registry]]\nprefix = "a.*.com"\n', /may only stand as \*\.HOST/],
    ['[[registry]]\nlocation = "a"\ninsecure = "yes"\n', /insecure is not true or false/],
    ['[[registry]]\nlocation = "a"\n[[registry]]\nlocation = "a"\n', /several \[\[registry\]\] for a/],
    ['[registry]\nlocation = "a"\n', /write \[\[registry\]\]/],
    [
      '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "sometimes"\n',
      /all, digest-only or tag-only/,
    ],
    [
      '[[registry]]\nlocation = "a"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "all"\n',
      /cannot be set/,
    ],
    ['x = 1\n\ny = [1, 2\n', /conf:\d: expected/],
  ];
  for (const [text, message] of table) {
    await assert.rejects(load(text), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_USAGE_BAD_REGISTRIES_CONF');
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(loadRegistriesConf({ env: {}, home: '/', path: '/nonexistent/x' }), {
    code: 'TSB_USAGE_BAD_REGISTRIES_CONF',
  });
});

test('the TOML that is used is read as the TOML spec says', () => {
  const plain = (text: string): unknown => JSON.parse(JSON.stringify(parseToml(text, 'f')));
  assert.deepEqual(
    plain(String.raw`
# comment
a = "x\t\"\u00e9\\" # after
'quoted key'."b.c" = 'raw\n'
n = 1_000
neg = -7
t=true
list = [ "a", # one
  'b',
]
inline = { x = 1, y.z = [ { q = false } ] }
__proto__ = "own"
[table.sub]
k = "v"
[[arr]]
n = 1
[arr.inner]
m = 2
[[arr]]
n = 3
[[arr.deep]]
o = 4
`),
    {
      a: 'x\t"é\\',
      'quoted key': { 'b.c': 'raw\\n' },
      n: 1000,
      neg: -7,
      t: true,
      list: ['a', 'b'],
      inline: { x: 1, y: { z: [{ q: false }] } },
      ['__proto__']: 'own',
      table: { sub: { k: 'v' } },
      arr: [
        { n: 1, inner: { m: 2 } },
        { n: 3, deep: [{ o: 4 }] },
      ],
    },
  );
  const bad: [string, RegExp][] = [
    ['a = 1\na = 2', /f:2: a is set twice/],
    ['a = bare', /strings need quotes/],
    ['a = "x', /f:1: the string is not closed/],
    ['a = "x" y', /expected the end of the line/],
    ['[t]\n[t]', /f:2: table t is there already/],
    ['a = 1\n[a]', /table a is there already/],
    ['a = [1]\n[[a]]', /not an array of tables/],
    ['a = 1.5', /no string, boolean or whole number/],
    ['a = """x"""', /several lines/],
    ['= 1', /expected a key/],
    ['a = "\\q"', /is no escape/],
    ['a = {b = 1', /expected ,/],
  ];
  for (const [text, message] of bad) assert.throws(() => parseToml(text, 'f'), message, text);
});
