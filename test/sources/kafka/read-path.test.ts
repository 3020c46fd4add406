import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { hopValues } from '../../../src/exporters/kafka/hop-records.ts';
import { pathValue } from '../../../src/exporters/kafka/path-records.ts';
import { jsonLine, pathLines, pathRecord } from '../../../src/exporters/json/records.ts';
import { readPath } from '../../../src/sources/kafka/read-path.ts';
import { allPaths, packetPaths, pingPath } from '../../fixtures/packet-paths.ts';

const read = (name: string): string =>
  readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
const identity = { host: 'node-a', bootId: 'b00t' };
const ajv = new Ajv2020({ strict: true, allErrors: true });
const validatorOf = (name: string) =>
  ajv.compile(JSON.parse(read(`config/schema/${name}.schema.json`)) as object);
const isPath = validatorOf('skbspan.path-1');
const isHop = validatorOf('skbspan.hop-1');

/** The records of a day, as they were then. Never changed: whoever kept records from that day must still be able to read them. */
const days = ['2026-11-23'];
const linesOf = (day: string, kind: string): string[] =>
  read(`test/fixtures/kafka/${kind}-${day}.jsonl`).trimEnd().split('\n');

test('a path comes back from its record', () => {
  for (const [name, path] of Object.entries(allPaths())) {
    const origin = identity;
    assert.deepEqual(readPath(pathValue(path, origin).toString()), { ...path, origin }, name);
    assert.deepEqual(
      readPath(pathLines([{ ...path, origin }]).toString()),
      { ...path, origin },
      name,
    );
    assert.deepEqual(readPath(jsonLine(pathRecord(path))), path, name);
  }
});

test("yesterday's records are read, and are valid by today's schema", () => {
  const today = Object.values(packetPaths());
  for (const day of days) {
    const lines = linesOf(day, 'paths');
    assert.ok(lines.length >= 9);
    for (const line of lines) {
      assert.ok(isPath(JSON.parse(line)), ajv.errorsText(isPath.errors));
      const path = readPath(line);
      assert.ok(today.some(({ traceId }) => traceId === path.traceId));
    }
    for (const line of linesOf(day, 'hops'))
      assert.ok(isHop(JSON.parse(line)), ajv.errorsText(isHop.errors));
  }
});

test("today's records are valid, and the schemas know each of their fields", () => {
  const closed = (name: string): string =>
    read(`config/schema/${name}.schema.json`)
      .replaceAll('"type": "object"', '"type": "object", "unevaluatedProperties": false')
      .replaceAll(
        '"type": ["object", "null"]',
        '"type": ["object", "null"], "unevaluatedProperties": false',
      )
      .replace(/"\$id": "[^"]*"/, '"$id": "closed"');
  const strict = (name: string) =>
    new Ajv2020({ strict: true, strictTypes: false, allErrors: true }).compile(
      JSON.parse(closed(name)) as object,
    );
  const onlyPath = strict('skbspan.path-1');
  const onlyHop = strict('skbspan.hop-1');
  for (const [name, path] of Object.entries(allPaths())) {
    const plain = JSON.parse(jsonLine(pathRecord(path))) as unknown;
    assert.ok(onlyPath(plain), `${name}: ${ajv.errorsText(onlyPath.errors)}`);
    const record = JSON.parse(pathValue(path, identity).toString()) as unknown;
    assert.ok(onlyPath(record), `${name}: ${ajv.errorsText(onlyPath.errors)}`);
    for (const value of hopValues(path, identity)) {
      assert.ok(
        onlyHop(JSON.parse(value.toString())),
        `${name}: ${ajv.errorsText(onlyHop.errors)}`,
      );
    }
  }
});

test("tomorrow's fields are skipped; a newer schema, and what is not ours, is refused with a reason", () => {
  const record = JSON.parse(pathValue(pingPath(), identity).toString()) as Record<string, unknown>;
  assert.deepEqual(readPath(JSON.stringify({ ...record, tomorrow: { a: 1 } })), {
    ...pingPath(),
    origin: identity,
  });
  assert.ok(isPath({ ...record, tomorrow: 1 }));
  const table: readonly (readonly [string, RegExp])[] = [
    [JSON.stringify({ ...record, schema: 'skbspan.path/2' }), /schema is skbspan.path\/2/],
    ['{"a":1}', /no schema/],
    ['not json', /no JSON/],
    ['[]', /no object/],
    [JSON.stringify({ ...record, lives: [] }), /no lives/],
    [JSON.stringify({ ...record, duration_ns: '5' }), /duration_ns is no number/],
    [JSON.stringify({ ...record, direction: 'sideways' }), /direction 'sideways' is unknown/],
    [JSON.stringify({ ...record, start_time_ns: 'x' }), /start_time_ns is no number/],
  ];
  for (const [text, want] of table) assert.throws(() => readPath(text), want);
});
