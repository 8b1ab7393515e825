/** The interfaces of the library's types as data and as the tables of docs/api.md. */

/** Interfaces that docs/api.md explains by hand, at their place in the text. */
export const byHand = ['CallOptions', 'RegistryOptions', 'BuildOptions', 'BuildResult', 'ImageAttributes'];

/** Not a bag of members. */
const noTable = ['BuildPromise'];

/**
 * @typedef {{ name: string, optional: boolean, type: string, meaning: string }} Member
 * @typedef {{ name: string, bases: string[], meaning: string, members: Member[] }} Interface
 */

/** @param {string} text types.ts, as the formatter writes it @returns {Interface[]} */
export function readInterfaces(text) {
  const pattern =
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export interface (\w+)\s*([^{]*?)\s*\{(?:\}|\n([\s\S]*?)^\})/gm;
  return [...text.matchAll(pattern)]
    .filter(([, , name]) => !noTable.includes(name))
    .map(([, comment = '', name, heritage, body = '']) => ({
      name,
      bases: basesOf(heritage),
      meaning: plain(comment),
      members: membersOf(body),
    }));
}

/** `extends A, Pick<B, 'x' | 'y'>` names A and B. */
function basesOf(heritage) {
  return [...heritage.replace(/^extends\s/, '').matchAll(/\w+(?:<\s*(\w+),[^>]*>)?/g)].map(([word, inner]) =>
    inner === undefined ? word : `${inner} (${quoted(word).join(', ')})`,
  );
}

const quoted = (word) => [...word.matchAll(/'(\w+)'/g)].map(([, name]) => name);

function membersOf(body) {
  const pattern = /^( {2}\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^ {2}(\w+|'[^']+')(\?)?: ([\s\S]*?);$/gm;
  return [...body.matchAll(pattern)].map(([, comment = '', name, optional, type]) => ({
    name: name.replaceAll("'", ''),
    optional: optional === '?',
    type: type.replace(/\s+/g, ' '),
    meaning: plain(comment),
  }));
}

function plain(comment) {
  return comment
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

const cell = (text) => text.replaceAll('|', '\\|');

/** @param {string} text types.ts @returns {string} the part of docs/api.md between its markers */
export function typeTables(text) {
  return readInterfaces(text)
    .filter(({ name }) => !byHand.includes(name))
    .map(({ name, bases, meaning, members }) => {
      const also =
        bases.length === 0 ? '' : ` Also what is in ${bases.map((base) => `\`${base}\``).join(' and ')}.`;
      const rows = members.map(
        (member) =>
          `| \`${member.name}\`${member.optional ? '?' : ''} | \`${cell(member.type)}\` | ${cell(member.meaning)} |`,
      );
      const table =
        rows.length === 0 ? [] : ['', '| Member | Type | Meaning |', '| --- | --- | --- |', ...rows];
      return [`#### ${name}`, ...(meaning + also === '' ? [] : ['', (meaning + also).trim()]), ...table].join(
        '\n',
      );
    })
    .join('\n\n');
}

export const begin =
  '<!-- types: written by scripts/api-doc.mjs from packages/tsbuild/src/api/types.ts -->\n';
export const end = '\n<!-- end of types -->';

/** @returns {string} the document with its tables renewed */
export function withTypeTables(doc, types) {
  const from = doc.indexOf(begin);
  const to = doc.indexOf(end);
  if (from < 0 || to < from) throw new Error('docs/api.md has lost its markers');
  return `${doc.slice(0, from + begin.length)}\n${typeTables(types)}\n${doc.slice(to)}`;
}
