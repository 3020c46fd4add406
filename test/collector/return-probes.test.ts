import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { returnProbes } from '../../src/collector/return-probes.ts';

test('the programs that user space knows are those of the kernel side', () => {
  const source = readFileSync(new URL('../../bpf/returns.h', import.meta.url), 'utf8');
  const programs = [...source.matchAll(/^\s+X\((fentry|fexit), (\w+),/gm)];
  assert.deepEqual(
    programs.map(([, end, func]) => [end, func]),
    returnProbes,
  );
});
