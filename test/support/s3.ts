/** Buckets of the S3 server that scripts/test.mjs started. */
import { createHash, createHmac } from 'node:crypto';

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests through npm test`);
  return value;
}

/** URL of the server. */
export const s3Endpoint = setting('TSBUILD_TEST_S3');
const region = setting('TSBUILD_TEST_S3_REGION');

/** The environment that whoever uses the server needs. */
export const s3Env = {
  AWS_ACCESS_KEY_ID: setting('TSBUILD_TEST_S3_ACCESS_KEY'),
  AWS_SECRET_ACCESS_KEY: setting('TSBUILD_TEST_S3_SECRET_KEY'),
  AWS_REGION: region,
};

/** One request, signed by the rules of AWS Signature Version 4; independent of the client under test. */
export async function s3(method: string, path: string, body: string | Uint8Array = ''): Promise<Response> {
  const { host } = new URL(s3Endpoint);
  const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const headers = { host, 'x-amz-content-sha256': sha256(body), 'x-amz-date': time };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  const canonical = [method, escaped, '', lines.join(''), names, sha256(body)].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${s3Env.AWS_SECRET_ACCESS_KEY}`,
  );
  const signature = hmac(key, text).toString('hex');
  return await fetch(`${s3Endpoint}${escaped}`, {
    method,
    headers: {
      ...headers,
      authorization: `AWS4-HMAC-SHA256 Credential=${s3Env.AWS_ACCESS_KEY_ID}/${scope},SignedHeaders=${names},Signature=${signature}`,
    },
    ...(body.length === 0 ? {} : { body }),
  });
}

export async function makeBucket(name: string): Promise<void> {
  const answer = await s3('PUT', `/${name}`);
  if (!answer.ok) throw new Error(`cannot make bucket ${name}: ${answer.status} ${await answer.text()}`);
}
