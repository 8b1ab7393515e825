// Builds a Dockerfile that exists only in memory, without any context, and writes the root file system to a folder.
// Usage: node in-memory.mjs BASE FOLDER
import { build } from 'tsbuild';

const [base = 'busybox', folder = 'out'] = process.argv.slice(2);

const dockerfileText = `FROM ${base} AS work
RUN mkdir /made && date > /made/when
COPY <<EOF /made/index.html
<h1>made in memory</h1>
EOF
FROM scratch
COPY --from=work /made /
`;

const result = await build({ dockerfileText, outputs: [{ type: 'local', dest: folder }] });
console.log(`wrote ${folder}: ${result.outputs.map(({ type }) => type).join(', ')}`);
