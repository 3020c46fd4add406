import assert from 'node:assert/strict';
import test from 'node:test';
import { obstacle, refusalsInWords } from '../../src/collector/loaded-programs.ts';

const program = { id: 7, type: 6, name: 'limit', isJited: true, btfId: 3, mainFunction: 2 };

test('what speaks against tracing a program', () => {
  assert.equal(obstacle(program), undefined);
  assert.match(obstacle({ ...program, btfId: 0 }) ?? '', /clang -g/);
  assert.match(obstacle({ ...program, mainFunction: 0 }) ?? '', /clang -g/);
  assert.match(obstacle({ ...program, isJited: false }) ?? '', /bpf_jit_enable/);
});

test('refused programs are told by reason, and a long list is cut', () => {
  const few = [
    { name: 'tc:a (id 1)', reason: 'EPERM' },
    { name: 'xdp:b (id 2)', reason: 'no type information' },
    { name: 'tc:c (id 3)', reason: 'EPERM' },
  ];
  assert.deepEqual(refusalsInWords(few), [
    'tc:a (id 1), tc:c (id 3) are not traced: EPERM',
    'xdp:b (id 2) is not traced: no type information',
  ]);
  const many = Array.from({ length: 20 }, (_, id) => ({ name: `tc:p (id ${id})`, reason: 'no' }));
  assert.match(refusalsInWords(many)[0] ?? '', /\(id 7\) and 12 more are not traced: no$/);
  assert.deepEqual(refusalsInWords([]), []);
});
