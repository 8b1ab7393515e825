/** Whether a text can be an image's name (the grammar of github.com/distribution/reference, familiar names). */

const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const host = new RegExp(`^(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tag = /^[\w][\w.-]{0,127}$/;
const digest = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

export function isImageName(text: string): boolean {
  if (/^[a-f0-9]{64}$/.test(text)) return false;
  const at = text.indexOf('@');
  if (at >= 0 && !digest.test(text.slice(at + 1))) return false;
  let name = at >= 0 ? text.slice(0, at) : text;
  const colon = name.lastIndexOf(':');
  if (colon > name.lastIndexOf('/')) {
    if (!tag.test(name.slice(colon + 1))) return false;
    name = name.slice(0, colon);
  }
  const [first = '', ...rest] = name.split('/');
  const isHost =
    rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  if (isHost && !host.test(first)) return false;
  const path = isHost ? rest : [first, ...rest];
  return name.length <= 255 && path.every((part) => component.test(part));
}
