import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { detected, own, std } from '../../../src/exporters/otlp/attribute-names.ts';
import { createResources } from '../../../src/exporters/otlp/resources.ts';
import { packetPathToSpans } from './readable-spans.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';

const text = readFileSync(new URL('../../../docs/otel.md', import.meta.url), 'utf8');
/** Attribute -> type, of every table row that begins with a name in back quotes. */
const documented = new Map(
  [...text.matchAll(/^\| `([a-z0-9_.]+)`\s*\| (\w+(?:\[\])?)\s*\|/gm)].map(([, name, type]) => [
    name,
    type,
  ]),
);

const typeOf = (value: unknown): string =>
  Array.isArray(value) ? `${typeOf(value[0])}[]` : typeof value === 'number' ? 'int' : typeof value;

test("docs/otel.md has every one of skbspan's own attributes and no other", () => {
  const names = [...documented.keys()].filter((name) => name?.startsWith('skbspan.')).sort();
  assert.deepEqual(names, Object.values(own).sort());
});

test('docs/otel.md has every name of the semantic conventions that a span can have, and no other', () => {
  const names = [...documented.keys()].filter((name) => !name?.startsWith('skbspan.')).sort();
  assert.deepEqual(names, [...Object.values(std), ...detected].sort());
});

test('docs/otel.md has every attribute of the fixtures, with its type', async () => {
  const resources = await createResources({ serviceName: undefined, timeScale: 1000 });
  const options = {
    clones: 'own_trace',
    timeScale: 1000,
    detail: 'milestones',
    maxSpans: 4,
    resources,
    scope: { name: 't' },
  } as const;
  for (const path of Object.values(packetPaths()))
    for (const span of packetPathToSpans(path, options))
      for (const attributes of [
        span.attributes,
        span.resource.attributes,
        ...span.links.map((link) => link.attributes ?? {}),
        ...span.events.map((event) => event.attributes ?? {}),
      ])
        for (const [name, value] of Object.entries(attributes))
          assert.equal(documented.get(name), typeOf(value), name);
});
