import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Io } from '../../src/cli/io.js';
import { ask } from '../../src/cli/prompt.js';

function terminal(signal = new AbortController().signal) {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => modes.push(on),
  });
  const stderr = {
    text: '',
    write(chunk: string | Uint8Array) {
      stderr.text += String(chunk);
      return true;
    },
  };
  const io: Io = { stdin, stdout: stderr, stderr, env: {}, cwd: '/', signal };
  return { io, stdin, stderr, modes };
}

test('a hidden answer is not shown; backspace and ctrl-U edit it', async () => {
  const { io, stdin, stderr, modes } = terminal();
  const answer = ask(io, 'Password: ', true);
  stdin.write('wrong\x15sé');
  stdin.write('cx\x7fret\r');
  assert.equal(await answer, 'sécret');
  assert.equal(stderr.text, 'Password: \n');
  assert.deepEqual(modes, [true, false]);
});

test('a character cut in two by the terminal is one character', async () => {
  const { io, stdin } = terminal();
  const answer = ask(io, '', true);
  const bytes = Buffer.from('é\n');
  stdin.write(bytes.subarray(0, 1));
  await new Promise((resolve) => setImmediate(resolve));
  stdin.write(bytes.subarray(1));
  assert.equal(await answer, 'é');
});

test('a shown answer echoes', async () => {
  const { io, stdin, stderr } = terminal();
  const answer = ask(io, '? ', false);
  stdin.write('ab\x7fc\n');
  assert.equal(await answer, 'ac');
  assert.equal(stderr.text, '? ab\b \bc\n');
});

test('ctrl-C, ctrl-D and the signal end it, the terminal is put back', async () => {
  for (const key of ['\x03', '\x04']) {
    const { io, stdin, modes } = terminal();
    const answer = ask(io, '', true);
    stdin.write(key);
    await assert.rejects(answer, { code: 'TSB_CANCELLED_PROMPT' });
    assert.deepEqual(modes, [true, false]);
  }
  const controller = new AbortController();
  const { io, modes } = terminal(controller.signal);
  const answer = ask(io, '', true);
  controller.abort(new Error('stop'));
  await assert.rejects(answer, { message: 'stop' });
  assert.deepEqual(modes, [true, false]);
});
