// Builds a folder and pushes the image. Usage: node build-and-push.mjs CONTEXT NAME[:TAG]
import { build, TsbuildError } from 'tsbuild';

const [context, name] = process.argv.slice(2);
if (name === undefined) {
  console.error('usage: node build-and-push.mjs CONTEXT NAME[:TAG]');
  process.exit(2);
}

const running = build({ context, tags: [name], push: true });
try {
  for await (const event of running) {
    if (event.type === 'vertex') console.log(`step    ${event.name}`);
    if (event.type === 'log') process.stdout.write(event.text);
    if (event.type === 'warning') console.log(`warning ${event.message}`);
  }
  const { names, digest } = await running;
  console.log(`pushed  ${names.join(', ')} ${digest}`);
} catch (error) {
  if (!(error instanceof TsbuildError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  if (error.source) console.error(`  at ${error.source.file}:${error.source.range.startLine}`);
  if (error.hint) console.error(`  ${error.hint}`);
  process.exitCode = 1;
}
