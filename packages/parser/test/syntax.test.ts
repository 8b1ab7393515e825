import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectSyntax } from '@tsbuild/parser';

test('the syntax line is found in each of its forms', () => {
  const table: [text: string, found: [reference: string, line: number] | undefined][] = [
    ['# syntax=docker/dockerfile:1\nFROM a\n', ['docker/dockerfile:1', 1]],
    ['\uFEFF#SYNTAX = a/b some options \r\nFROM a\n', ['a/b', 1]],
    ['# escape=`\n# syntax=a\n', ['a', 2]],
    ['#!/usr/bin/env run\n# syntax=a\n', ['a', 2]],
    ['// syntax=a\n{}', ['a', 1]],
    ['#!/x\n//syntax=a', ['a', 2]],
    ['{\n  "syntax": "a b",\n  "x": 1\n}', ['a', 2]],
    ['# other\n# syntax=a\n', undefined],
    ['\n# syntax=a\n', undefined],
    ['FROM a\n', undefined],
    ['{"syntax": 1}', undefined],
    ['{', undefined],
    ['', undefined],
  ];
  for (const [text, found] of table) {
    const got = detectSyntax(text);
    assert.deepEqual(got && [got.reference, got.line], found, text);
  }
});
