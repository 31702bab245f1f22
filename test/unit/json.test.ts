/** The door of JSON: what `JSON.parse` takes and we do not, with its place. */
import { describe, expect, it } from 'vitest';
import { deepestJson, JsonFault, parseJson } from '../../src/json.js';

function faultOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    return error;
  }
}

describe('parseJson', () => {
  it.each([
    'null',
    '"a:b{[\\":\\\\"',
    '{"a":{"b":1},"b":[{"a":1},{"a":2}]}',
    '{"__proto__":1,"constructor":{"__proto__":2}}',
    ' { "a\\"" : "}" , "b" : [ ] } ',
    `${'['.repeat(deepestJson)}${']'.repeat(deepestJson)}`,
  ])('gives what JSON.parse gives: %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['{"a":1,"a":2}', '"a"', { line: 1, column: 8 }],
    ['{\n "a": 1,\n "b": 2,\n "\\u0061": 3}', '"a"', { line: 4, column: 2 }],
    ['[{"a":{}},{"b":{"c" : 1, "d": "c", "c"\t: 2}}]', '"c"', { line: 1, column: 36 }],
    ['{"__proto__":1,"__proto__":1}', '"__proto__"', { line: 1, column: 16 }],
  ])('refuses a key that is there twice: %s', (text, name, place) => {
    const fault = faultOf(text);
    expect(fault).toBeInstanceOf(JsonFault);
    expect(fault).toMatchObject({ message: `the key ${name} is there twice in one object`, place });
  });

  it('refuses what is too deep, where it gets so', () => {
    const text = `\n${'[{"a":'.repeat(deepestJson / 2)}[`;
    expect(faultOf(text)).toMatchObject({
      message: 'lists and objects are nested more than 128 levels deep',
      place: { line: 2, column: text.length - 1 },
    });
  });

  it.each(['', '{', '{"a":1', '"', '{"a":1}}', ']'])(
    'leaves to JSON.parse what is no JSON: %s',
    (text) => {
      const fault = faultOf(text);
      expect(fault).toBeInstanceOf(SyntaxError);
      expect(fault).not.toBeInstanceOf(JsonFault);
    },
  );
});
