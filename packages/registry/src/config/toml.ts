/**
 * The part of TOML 1.0 that registries.conf uses: tables, arrays of tables, strings, booleans, integers, arrays and inline
 * tables. Strict: what it does not know, and any key set twice, is an error with its line.
 */
import { TsbuildError } from '@tsbuild/core';

export type TomlValue = string | number | boolean | TomlValue[] | TomlTable;
export interface TomlTable {
  [key: string]: TomlValue;
}

/** @throws TsbuildError TSB_USAGE_BAD_REGISTRIES_CONF `FILE:LINE: …` */
export function parseToml(text: string, file: string): TomlTable {
  return new Parser(text, file).document();
}

const escapes: Record<string, string> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', '"': '"', '\\': '\\' };

class Parser {
  private at = 0;
  private readonly root = table();
  private current = this.root;
  /** Tables that a header has opened, or an inline table closed. */
  private readonly defined = new Set<TomlValue>();

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  document(): TomlTable {
    for (;;) {
      this.skip(/[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*/y);
      if (this.at >= this.text.length) return this.root;
      if (this.text[this.at] === '[') this.header();
      else this.pair(this.current);
      this.skip(/[ \t]*(?:#[^\n]*)?/y);
      if (this.at < this.text.length && !this.skip(/\r?\n/y)) this.fail('expected the end of the line');
    }
  }

  private fail(message: string): never {
    const line = this.text.slice(0, this.at).split('\n').length;
    throw new TsbuildError('TSB_USAGE_BAD_REGISTRIES_CONF', `${this.file}:${line}: ${message}`, {
      hint: 'The format is described in containers-registries.conf(5), version 2.',
    });
  }

  private skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null || match[0] === '') return undefined;
    this.at += match[0].length;
    return match[0];
  }

  private expect(text: string): void {
    if (!this.text.startsWith(text, this.at)) this.fail(`expected ${text}`);
    this.at += text.length;
  }

  private header(): void {
    const isArray = this.text.startsWith('[[', this.at);
    this.expect(isArray ? '[[' : '[');
    const path = this.keyPath();
    this.expect(isArray ? ']]' : ']');
    const last = path.pop() as string;
    const parent = this.descend(this.root, path);
    const known = parent[last];
    if (isArray) {
      const list = known ?? [];
      if (!Array.isArray(list) || this.defined.has(list)) this.fail(`${last} is not an array of tables`);
      parent[last] = list;
      this.current = table();
      list.push(this.current);
      return;
    }
    if (known !== undefined && (!isTable(known) || this.defined.has(known)))
      this.fail(`table ${last} is there already`);
    this.current = (known as TomlTable | undefined) ?? table();
    parent[last] = this.current;
    this.defined.add(this.current);
  }

  private descend(from: TomlTable, path: string[]): TomlTable {
    let at = from;
    for (const key of path) {
      at[key] ??= table();
      let next = at[key];
      if (Array.isArray(next)) next = next.at(-1) ?? this.fail(`${key} is empty`);
      if (!isTable(next)) this.fail(`${key} is not a table`);
      at = next;
    }
    return at;
  }

  private pair(into: TomlTable): void {
    const path = this.keyPath();
    this.expect('=');
    this.skip(/[ \t]+/y);
    const last = path.pop() as string;
    const parent = this.descend(into, path);
    if (parent[last] !== undefined) this.fail(`${last} is set twice`);
    parent[last] = this.value();
  }

  private keyPath(): string[] {
    const path: string[] = [];
    do {
      this.skip(/[ \t]+/y);
      const first = this.text[this.at];
      path.push(
        first === '"' || first === "'"
          ? this.string()
          : (this.skip(/[A-Za-z0-9_-]+/y) ?? this.fail('expected a key')),
      );
      this.skip(/[ \t]+/y);
    } while (this.skip(/\./y) !== undefined);
    return path;
  }

  private value(): TomlValue {
    const first = this.text[this.at];
    if (first === '"' || first === "'") return this.string();
    if (first === '[') return this.array();
    if (first === '{') return this.inlineTable();
    const word = this.skip(/[A-Za-z0-9_+.:-]+/y) ?? this.fail('expected a value');
    if (word === 'true' || word === 'false') return word === 'true';
    if (/^[+-]?(0|[1-9](_?[0-9])*)$/.test(word)) return Number(word.replaceAll('_', ''));
    return this.fail(`${word} is no string, boolean or whole number: strings need quotes`);
  }

  private string(): string {
    if (this.skip(/"""|'''/y) !== undefined) this.fail('strings of several lines are not used here');
    const literal = this.skip(/'[^'\n]*'/y);
    if (literal !== undefined) return literal.slice(1, -1);
    const basic = this.skip(/"(?:[^"\\\n]|\\.)*"/y) ?? this.fail('the string is not closed');
    return basic
      .slice(1, -1)
      .replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g, (whole, short, long, char) => {
        const code = Number.parseInt(short ?? long ?? '', 16);
        if (code <= 0x10ffff) return String.fromCodePoint(code);
        return escapes[char as string] ?? this.fail(`${whole} is no escape`);
      });
  }

  private blank(): void {
    this.skip(/[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*/y);
  }

  private array(): TomlValue[] {
    this.expect('[');
    const list: TomlValue[] = [];
    for (this.blank(); this.text[this.at] !== ']'; this.blank()) {
      list.push(this.value());
      this.blank();
      if (this.text[this.at] !== ']') this.expect(',');
    }
    this.expect(']');
    this.defined.add(list);
    return list;
  }

  private inlineTable(): TomlTable {
    this.expect('{');
    const result = table();
    this.skip(/[ \t]+/y);
    while (this.text[this.at] !== '}') {
      this.pair(result);
      this.skip(/[ \t]+/y);
      if (this.text[this.at] !== '}') this.expect(',');
    }
    this.expect('}');
    this.defined.add(result);
    return result;
  }
}

/** Without a prototype: `__proto__` is a key like any other. */
function table(): TomlTable {
  return Object.create(null) as TomlTable;
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value);
}
