/** Shared caches in a bucket: a machine that never built the image, and what is signed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { type Outcome, succeed, Tsbuild } from '../support/command.js';
import { imageName, rootless, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { makeBucket, s3, s3Endpoint, s3Env } from '../support/s3.js';

const env = { ...process.env, ...s3Env };
const work = workFolder('cache-s3');
const bucket = `tsbuild-${rootless ? 'user' : 'root'}-${randomBytes(4).toString('hex')}`;
const where = `type=s3,bucket=${bucket},endpoint_url=${s3Endpoint},use_path_style=true`;
let machines = 0;

/** A machine of its own: nothing in its store. */
const machine = () => new Tsbuild(join(work, `store-${machines++}`));

async function pushedBase(name: string): Promise<string> {
  const tsbuild = machine();
  const local = await busyboxImage(tsbuild, work);
  const base = imageName(name);
  await tsbuild.ok(['push', local, base]);
  return base;
}

const base = await pushedBase('cache-s3-base');
await makeBucket(bucket);
const context = writeTree(join(work, 'context'), {
  input: 'first\n',
  Dockerfile: `FROM ${base} AS tool
RUN head -c 12000000 /dev/urandom > /large; echo tool > /tool
FROM ${base}
COPY --from=tool /tool /tool
COPY input /input
RUN cat /input /tool > /both; cat /proc/sys/kernel/random/uuid > /uuid
`,
});

const small = writeTree(join(work, 'small'), {
  input: 'first\n',
  Dockerfile: `FROM ${base}
COPY input /input
RUN cat /proc/sys/kernel/random/uuid > /uuid
`,
});

function build(tsbuild: Tsbuild, args: string[], of = context): Promise<Outcome> {
  return tsbuild.ok(['build', '--progress=rawjson', ...args, of], { env });
}

const realSteps = (outcome: Outcome) => {
  const { ran, cached } = steps(outcome);
  const own = (name: string) => /RUN|COPY/.test(name);
  return { ran: ran.filter(own), cached: cached.filter(own) };
};

test('another machine finds all results in the bucket, and the files are the same', async () => {
  const first = machine();
  const out = join(work, 'out-first');
  const made = await build(first, ['-t', 'app', '--cache-to', `${where},mode=max`, '-o', out]);
  assert.equal(realSteps(made).ran.length, 4);

  const second = machine();
  const outSecond = join(work, 'out-second');
  const found = await build(second, ['--cache-from', where, '-o', outSecond]);
  assert.deepEqual(realSteps(found).ran, []);
  for (const file of ['both', 'uuid', 'tool'])
    assert.equal(readFileSync(join(outSecond, file), 'utf8'), readFileSync(join(out, file), 'utf8'), file);
  assert.ok(
    !JSON.stringify(found).includes('12000000 bytes'),
    'the large layer of the other stage stays there',
  );

  const again = await build(first, ['-t', 'app', '--cache-to', `${where},mode=max`]);
  assert.ok(!/"action":"uploading"/.test(again.stderr), 'what is there is not sent again');
});

test('keys come from the AWS configuration', async () => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key, AWS_REGION: region } = s3Env;
  const home = writeTree(join(work, 'home'), {
    '.aws/credentials': `[ci]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`,
    '.aws/config': `[profile ci]\nregion = ${region}\nendpoint_url = ${s3Endpoint}\n`,
  });
  const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, AWS_REGION: _region, ...rest } = process.env;
  const configured = { ...rest, HOME: home, AWS_PROFILE: 'ci' };
  const place = `type=s3,bucket=${bucket},use_path_style=true,name=configured`;
  const to = ['build', '--progress=rawjson', '--cache-to', place, small];
  await machine().ok(to, { env: configured });
  const from = ['build', '--progress=rawjson', '--cache-from', place, small];
  assert.deepEqual(realSteps(await machine().ok(from, { env: configured })).ran, []);
  const none = await machine().run(to, {
    env: { ...rest, HOME: work, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: region },
  });
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no credentials were found/);
});

test('the keys of the bucket are in no output', async () => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = s3Env;
  const given = `${where},access_key_id=${id},secret_access_key=${key}`;
  const wrong = given.replace(key, 'not-the-secret-key');
  const outcomes = [
    await machine().ok(['build', '--debug', '--cache-from', given, context]),
    await machine().ok(['build', '--debug', '--cache-from', wrong, context]),
    await machine().run(['build', '--debug', '--cache-to', wrong, context]),
    await machine().run(['build', '--debug', '--cache-to', `${wrong},nosuch=1`, context]),
  ];
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [0, 0, 1, 2],
  );
  for (const { stdout, stderr } of outcomes) {
    assert.ok(!stderr.includes(key) && !stdout.includes(key));
    assert.ok(!stderr.includes('not-the-secret-key'), stderr);
  }
  assert.match(outcomes[1]?.stderr ?? '', /CacheImport: the cache type=s3,bucket=\S+ is not used: .*403/);
  assert.match(outcomes[2]?.stderr ?? '', /TSB_AUTH_S3/);
});

const keys = writeTree(join(work, 'keys'), { README: 'of the test' });
for (const [name, how] of [
  ['main', ['-algorithm', 'ed25519']],
  ['stranger', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
] as const) {
  const key = join(keys, `${name}.key`);
  await succeed('openssl', ['genpkey', ...how, '-out', key]);
  await succeed('openssl', ['pkey', '-in', key, '-pubout', '-out', join(keys, `${name}.pub`)]);
}

test('signatures travel in registries and folders too', async () => {
  const folder = join(work, 'signed');
  const ref = `type=registry,ref=${imageName('cache-signed:main')}`;
  for (const [to, from] of [
    [ref, ref],
    [`${ref}-index,image-manifest=false`, `${ref}-index`],
    [`type=local,dest=${folder}`, `type=local,src=${folder}`],
  ] as const) {
    const verified = (name: string) =>
      build(machine(), ['--cache-from', from, '--cache-verify', join(keys, `${name}.pub`)], small);
    await build(machine(), ['--cache-to', to, '--cache-sign', join(keys, 'stranger.key')], small);
    assert.deepEqual(realSteps(await verified('stranger')).ran, [], from);
    assert.equal(realSteps(await verified('main')).ran.length, 2, from);
  }
});

test('a pull request reads what main signed, and nothing else', async () => {
  const main = `${where},name=main`;
  const [key, pub] = [join(keys, 'main.key'), join(keys, 'main.pub')];
  const builder = machine();
  await build(builder, ['--cache-to', `${main},mode=max`, '--cache-sign', key], small);

  const good = await build(machine(), ['--cache-from', main, '--cache-verify', pub], small);
  assert.deepEqual(realSteps(good).ran, []);
  assert.ok(!good.stderr.includes('CacheSign'));
  const either = await build(
    machine(),
    ['--cache-from', main, '--cache-verify', `${join(keys, 'stranger.pub')},${pub}`],
    small,
  );
  assert.deepEqual(realSteps(either).ran, []);

  const notMain = await build(
    machine(),
    ['--cache-from', main, '--cache-verify', join(keys, 'stranger.pub')],
    small,
  );
  assert.equal(realSteps(notMain).ran.length, 2);
  assert.match(notMain.stderr, /signed by key sha256:\w{12}, which is none of \S+stranger\.pub/);

  // A hostile pull request puts its own results where main's are.
  const signed = await (await s3('GET', `/${bucket}/manifests/main`)).text();
  const hostile = machine();
  const unverified = await build(
    machine(),
    ['--cache-from', main, '--cache-to', `${where},name=x`, '--cache-sign', key],
    small,
  );
  assert.match(unverified.stderr, /"rule":"CacheSign"/);
  await build(hostile, ['--cache-to', `${main},mode=max`, '--cache-sign', join(keys, 'stranger.key')], small);
  const victim = machine();
  const refused = await build(victim, ['--cache-from', main, '--cache-verify', pub], small);
  assert.equal(realSteps(refused).ran.length, 2);

  // What was taken unverified is not believed later by a build that verifies, on the same machine.
  const careless = machine();
  assert.deepEqual(realSteps(await build(careless, ['--cache-from', main], small)).ran, []);
  const careful = await build(careless, ['--cache-from', main, '--cache-verify', pub], small);
  assert.equal(realSteps(careful).ran.length, 2);

  // Parts of both: main's signature over the stranger's list.
  const theirs = JSON.parse(await (await s3('GET', `/${bucket}/manifests/main`)).text());
  theirs.tsbuild.annotations = JSON.parse(signed).tsbuild.annotations;
  assert.ok((await s3('PUT', `/${bucket}/manifests/main`, JSON.stringify(theirs))).ok);
  const mixed = await build(machine(), ['--cache-from', main, '--cache-verify', pub], small);
  assert.equal(realSteps(mixed).ran.length, 2);
  assert.match(mixed.stderr, /was changed after it was signed/);

  // Main's own document again: old, and still true.
  assert.ok((await s3('PUT', `/${bucket}/manifests/main`, signed)).ok);
  const back = await build(machine(), ['--cache-from', main, '--cache-verify', pub], small);
  assert.deepEqual(realSteps(back).ran, []);
});

test('a wrong key file ends the command before anything runs', async () => {
  const file = join(writeTree(join(work, 'wrong'), { 'key.pem': 'no key' }), 'key.pem');
  const tsbuild = machine();
  for (const flag of ['--cache-sign', '--cache-verify']) {
    const outcome = await tsbuild.run(['build', '--progress=plain', flag, file, context]);
    assert.equal(outcome.status, 2);
    assert.ok(outcome.stderr.includes(`${flag}: ${file} is no `), outcome.stderr);
    assert.ok(!outcome.stderr.includes('#1'), outcome.stderr);
  }
});
