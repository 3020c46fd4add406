import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { errorCodes } from '../../src/errors.ts';

test('docs/errors.md has a section for every error code and for no other', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^## (SKBSPAN_\w+)$/gm)].map(([, code]) => code);
  assert.deepEqual(documented, [...errorCodes]);
});
