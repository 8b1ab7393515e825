/** Signed caches: what holds, every way in which it doesn't, and which files are keys. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sha256, type TsbuildError } from '@tsbuild/core';
import type { CacheDocument, CacheMedium } from '../../src/remote-cache/medium.js';
import { signDocument, signed, verifyDocument } from '../../src/remote-cache/signature.js';
import { readSigningKey, readVerifyingKey } from '../../src/remote-cache/signing-keys.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-signature-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Made as users make them. */
function openssl(name: string, ...how: string[]): { key: string; pub: string } {
  const key = join(folder, `${name}.key`);
  const pub = join(folder, `${name}.pub`);
  execFileSync('openssl', ['genpkey', ...how, '-out', key], { stdio: 'ignore' });
  execFileSync('openssl', ['pkey', '-in', key, '-pubout', '-out', pub], { stdio: 'ignore' });
  return { key, pub };
}

const ed25519 = openssl('main', '-algorithm', 'ed25519');
const p256 = openssl('p256', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256');
const other = openssl('other', '-algorithm', 'ed25519');

const layer = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: sha256('layer'),
  size: 5,
  annotations: { 'containerd.io/uncompressed': sha256('tar'), 'buildkit/createdat': '2026-01-01T00:00:00Z' },
};
const own = { mediaType: 'application/vnd.tsbuild.own', digest: sha256('own'), size: 3 };
const document: CacheDocument = {
  config: Buffer.from('{"layers":[{"blob":"x"}],"records":[]}'),
  blobs: [layer, own],
  annotations: { 'dev.tsbuild.cache.mounts': 'npm', 'org.example': 'anything' },
};
const time = '2026-02-03T04:05:06.000Z';

for (const [kind, pair] of [
  ['Ed25519', ed25519],
  ['ECDSA on P-256', p256],
] as const) {
  test(`a cache signed with ${kind} holds`, async () => {
    const text = signDocument(document, await readSigningKey(pair.key), time);
    const keys = [await readVerifyingKey(other.pub), await readVerifyingKey(pair.pub)];
    verifyDocument(text, keys);
    // What media may do on the way: another order, annotations of their own.
    verifyDocument({ ...text, blobs: [own, layer] }, keys);
    verifyDocument({ ...text, annotations: { ...text.annotations, 'org.example': 'else', more: '1' } }, keys);
    const { annotations } = layer;
    const turned = { ...layer, annotations: Object.fromEntries(Object.entries(annotations).reverse()) };
    verifyDocument({ ...text, blobs: [turned, own] }, keys);
  });
}

test('openssl verifies what was signed', async () => {
  const listed = [
    [
      layer.digest,
      layer.mediaType,
      5,
      [
        ['buildkit/createdat', '2026-01-01T00:00:00Z'],
        ['containerd.io/uncompressed', sha256('tar')],
      ],
    ],
    [own.digest, own.mediaType, 3, []],
  ];
  const { annotations } = signDocument(document, await readSigningKey(p256.key), time);
  const statement = file(
    'statement',
    `tsbuild-cache-signature-v1\n${annotations['dev.tsbuild.cache.statement']}`,
  );
  const signature = file('sig', Buffer.from(annotations['dev.tsbuild.cache.signature'] ?? '', 'base64'));
  const said = execFileSync('openssl', [
    'dgst',
    '-sha256',
    '-verify',
    p256.pub,
    '-signature',
    signature,
    statement,
  ]);
  assert.equal(said.toString(), 'Verified OK\n');
  assert.deepEqual(JSON.parse(annotations['dev.tsbuild.cache.statement'] ?? ''), {
    config: sha256(document.config),
    blobs: sha256(
      listed
        .map((line) => JSON.stringify(line))
        .sort()
        .join('\n'),
    ),
    annotations: sha256('[["dev.tsbuild.cache.mounts","npm"]]'),
    time,
  });
});

const names = {
  statement: 'dev.tsbuild.cache.statement',
  signature: 'dev.tsbuild.cache.signature',
  key: 'dev.tsbuild.cache.key',
};

test('every change of a signed cache is noticed', async () => {
  const main = await readSigningKey(ed25519.key);
  const stranger = await readSigningKey(other.key);
  const good = signDocument(document, main, time);
  const annotated = (change: Record<string, string | undefined>) => ({
    ...good,
    annotations: Object.fromEntries(
      Object.entries({ ...good.annotations, ...change }).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    ),
  });
  const flipped = (text: string) => {
    const bytes = Buffer.from(text, 'base64');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return bytes.toString('base64');
  };
  const signature = good.annotations[names.signature] ?? '';
  const statement = good.annotations[names.statement] ?? '';
  const later = signDocument({ ...document, config: Buffer.from('{}') }, main, time);
  const byStranger = signDocument(document, stranger, time);
  const bare = sign(null, Buffer.from(statement), main.privateKey).toString('base64');
  const cases: [string, CacheDocument, RegExp][] = [
    ['not signed', document, /it is not signed/],
    ['no statement', annotated({ [names.statement]: undefined }), /it is not signed/],
    ['no signature', annotated({ [names.signature]: undefined }), /it is not signed/],
    ['no key', annotated({ [names.key]: undefined }), /it is not signed/],
    [
      'another key',
      byStranger,
      /signed by key sha256:\w{12}, which is none of .*main\.pub \(sha256:\w{12}\)/,
    ],
    [
      'another key under the name of ours',
      annotated({ [names.signature]: byStranger.annotations[names.signature] }),
      /does not hold/,
    ],
    ['a key that is no name', annotated({ [names.key]: '\u001b[31m' }), /signed by key \?\?31m, which/],
    [
      'the signature of another document',
      annotated({ [names.signature]: later.annotations[names.signature] }),
      /does not hold/,
    ],
    [
      'the statement of another document',
      annotated({ [names.statement]: later.annotations[names.statement] }),
      /does not hold/,
    ],
    ['statement and signature of another document', annotated(later.annotations), /config was changed/],
    ['a flipped signature', annotated({ [names.signature]: flipped(signature) }), /does not hold/],
    ['an empty signature', annotated({ [names.signature]: '' }), /does not hold/],
    ['a signature that is no base64', annotated({ [names.signature]: '!!' }), /does not hold/],
    [
      'a longer signature',
      annotated({
        [names.signature]: Buffer.concat([Buffer.from(signature, 'base64'), Buffer.alloc(1)]).toString(
          'base64',
        ),
      }),
      /does not hold/,
    ],
    ['another time', annotated({ [names.statement]: statement.replace('2026', '2027') }), /does not hold/],
    ['a signature made for something else', annotated({ [names.signature]: bare }), /does not hold/],
    [
      'a flipped byte in the config',
      { ...good, config: Buffer.from(String(good.config).replace('x', 'y')) },
      /config was changed after it was signed at 2026-02-03/,
    ],
    ['an empty config', { ...good, config: Buffer.alloc(0) }, /config was changed/],
    [
      'a blob more',
      { ...good, blobs: [layer, own, { ...own, digest: sha256('z') }] },
      /list of blobs was changed/,
    ],
    ['a blob twice', { ...good, blobs: [layer, own, own] }, /list of blobs was changed/],
    ['a blob less', { ...good, blobs: [layer] }, /list of blobs was changed/],
    ['no blobs', { ...good, blobs: [] }, /list of blobs was changed/],
    [
      'another digest',
      { ...good, blobs: [{ ...layer, digest: sha256('evil') }, own] },
      /list of blobs was changed/,
    ],
    ['another size', { ...good, blobs: [{ ...layer, size: 6 }, own] }, /list of blobs was changed/],
    [
      'another media type',
      { ...good, blobs: [layer, { ...own, mediaType: 'x' }] },
      /list of blobs was changed/,
    ],
    [
      'media types swapped',
      {
        ...good,
        blobs: [
          { ...layer, mediaType: own.mediaType },
          { ...own, mediaType: layer.mediaType },
        ],
      },
      /list of blobs/,
    ],
    [
      'another uncompressed digest',
      {
        ...good,
        blobs: [
          { ...layer, annotations: { ...layer.annotations, 'containerd.io/uncompressed': sha256('evil') } },
          own,
        ],
      },
      /list of blobs/,
    ],
    [
      'an annotation of a blob less',
      { ...good, blobs: [{ ...layer, annotations: {} as typeof layer.annotations }, own] },
      /list of blobs/,
    ],
    [
      'an annotation of a blob more',
      { ...good, blobs: [layer, { ...own, annotations: { a: 'b' } }] },
      /list of blobs/,
    ],
    [
      'another annotation of ours',
      annotated({ 'dev.tsbuild.cache.mounts': 'evil' }),
      /annotations were changed/,
    ],
    [
      'an annotation of ours less',
      annotated({ 'dev.tsbuild.cache.mounts': undefined }),
      /annotations were changed/,
    ],
    ['an annotation of ours more', annotated({ 'dev.tsbuild.more': '' }), /annotations were changed/],
  ];
  const keys = [await readVerifyingKey(ed25519.pub)];
  verifyDocument(good, keys);
  for (const [name, changed, why] of cases) {
    assert.throws(
      () => verifyDocument(changed, keys),
      (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_INTEGRITY_CACHE_SIGNATURE', name);
        assert.match(error.message, why, name);
        return true;
      },
      name,
    );
  }
  assert.throws(() => verifyDocument(good, []), { code: 'TSB_INTEGRITY_CACHE_SIGNATURE' });
});

test('a medium signs what is published and verifies what is loaded', async () => {
  let kept: CacheDocument | undefined;
  const medium: CacheMedium = {
    name: 'memory',
    load: async () => kept,
    open: async () => assert.fail(),
    put: async () => assert.fail(),
    publish: async (text) => {
      kept = text;
    },
  };
  const signal = new AbortController().signal;
  const main = await readSigningKey(ed25519.key);
  const reader = signed(medium, { verify: [await readVerifyingKey(ed25519.pub)] });
  assert.equal(await reader.load(signal), undefined, 'a cache that is not there is no failure');
  await signed(medium, { sign: main }).publish(document, { signal });
  const loaded = await reader.load(signal);
  assert.deepEqual([loaded?.config, loaded?.blobs], [document.config, document.blobs]);
  await signed(medium, {}).publish(document, { signal });
  assert.equal(kept, document);
  await assert.rejects(reader.load(signal), { code: 'TSB_INTEGRITY_CACHE_SIGNATURE' });
  assert.equal(await signed(medium, {}).load(signal), document);
});

test('files that are no keys are named', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const x25519 = generateKeyPairSync('x25519');
  const pem = (pair: {
    privateKey: import('node:crypto').KeyObject;
    publicKey: import('node:crypto').KeyObject;
  }) => ({
    secret: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    open: pair.publicKey.export({ type: 'spki', format: 'pem' }),
  });
  const locked = pem(generateKeyPairSync('ed25519')).secret;
  const encrypted = generateKeyPairSync('ed25519').privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  const broken = String(locked).replace(/\n.{20}/, '\n');
  const cases: [string, string | Buffer, RegExp][] = [
    ['sign empty', '', /is no private key/],
    ['sign text', 'hello', /is no private key/],
    ['sign binary', Buffer.from([0, 255, 1]), /is no private key/],
    ['sign public', pem(generateKeyPairSync('ed25519')).open, /is no private key/],
    ['sign rsa', pem(rsa).secret, /is a key of type rsa/],
    ['sign p384', pem(p384).secret, /is a key of type ec on secp384r1/],
    ['sign x25519', pem(x25519).secret, /is a key of type x25519/],
    ['sign encrypted', encrypted, /has a passphrase/],
    ['sign broken', broken, /holds no key that can be read/],
    [
      'sign ssh',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n',
      /is a key of ssh's/,
    ],
    ['verify empty', '', /is no public key/],
    ['verify ssh', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA', /is no public key/],
    ['verify private', locked, /is a private key/],
    ['verify rsa', pem(rsa).open, /is a key of type rsa/],
    ['verify p384', pem(p384).open, /is a key of type ec on secp384r1/],
    ['verify broken', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', /holds no key/],
  ];
  for (const [name, text, why] of cases) {
    const path = file(name.replace(' ', '-'), text);
    const read = name.startsWith('sign') ? readSigningKey : readVerifyingKey;
    await assert.rejects(read(path), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_USAGE_CACHE_KEY', name);
      assert.match(error.message, why, name);
      assert.ok(error.message.startsWith(`--cache-${name.split(' ')[0]}: ${path} `), error.message);
      return true;
    });
  }
  await assert.rejects(readSigningKey(join(folder, 'none')), {
    code: 'TSB_USAGE_CACHE_KEY',
    message: /ENOENT/,
  });
  await assert.rejects(readVerifyingKey(folder), { code: 'TSB_USAGE_CACHE_KEY', message: /EISDIR/ });
  assert.ok((await readSigningKey(ed25519.key)).id === (await readVerifyingKey(ed25519.pub)).id);
});
