// Cancels a build that takes too long, from CommonJS. Usage: node cancel.cjs BASE MILLISECONDS
const { build, TsbuildError } = require('tsbuild');

const [base = 'busybox', milliseconds = '2000'] = process.argv.slice(2);

build({
  dockerfileText: `FROM ${base}\nRUN sleep 60\n`,
  signal: AbortSignal.timeout(Number(milliseconds)),
}).then(
  () => console.log('done in time'),
  (error) => {
    if (!(error instanceof TsbuildError)) throw error;
    console.log(`stopped: ${error.code}`);
  },
);
