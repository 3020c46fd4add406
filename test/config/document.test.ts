import assert from 'node:assert/strict';
import test from 'node:test';
import { parseYaml, substitute } from '../../src/config/document.ts';
import { traceConfigSchema } from '../../src/config/trace-config.ts';

const schema = traceConfigSchema([
  { key: 'backend', takes: 'value' },
  { key: 'ring_mb', takes: 'value' },
  { key: 'json', takes: 'optional' },
  { key: 'color', takes: 'switch' },
]);

test('values come as flags would have them; null is not there', () => {
  const text = 'backend: null\nring_mb: 16\njson: true\ncolor: false\n';
  assert.deepEqual(parseYaml('x', text, schema), { ring_mb: '16', json: true, color: false });
  assert.deepEqual(parseYaml('x', 'backend: [a, b]\njson: false', schema), { backend: 'a,b' });
  assert.deepEqual(parseYaml('x', '# nothing', schema), {});
});

test('all mistakes of a file come in one message, each with its key', () => {
  const text = 'backnd: kprobe\nring_mb: true\ncolor: "no"\n';
  assert.throws(() => parseYaml('my.yaml', text, schema), {
    code: 'SKBSPAN_USAGE',
    message:
      'my.yaml is wrong:\n  ring_mb: want text, a number or a list of them\n  color: want true or false\n  backnd: there is no such key',
  });
});

test('what is no YAML is said with its place', () => {
  assert.throws(() => parseYaml('my.yaml', 'a: [1,\nb: 2', schema), {
    code: 'SKBSPAN_USAGE',
    message: /my\.yaml is no YAML: .*line/,
  });
});

test('variables are replaced', () => {
  const environment = { HOST: 'a', EMPTY: '' };
  const table: readonly (readonly [string, string])[] = [
    ['${HOST}', 'a'],
    ['${NONE}', ''],
    ['${NONE:-b c}', 'b c'],
    ['${HOST:-b}', 'a'],
    ['${EMPTY:-b}', ''],
    ['$${HOST}', '${HOST}'],
    ['$HOST $', '$HOST $'],
  ];
  for (const [text, want] of table) assert.equal(substitute(text, environment), want, text);
});
