import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSessionCalls } from '../../src/collector/session-calls.ts';
import type { BpfProgram } from '../../src/ffi/libbpf.ts';

const callKernelFunction = 0x2085;

function programOf(instructions: readonly (readonly [code: number, immediate: number])[]) {
  const code = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([opcode, immediate], index) => {
    code.setUint16(index * 8, opcode, true);
    code.setInt32(index * 8 + 4, immediate, true);
  });
  const program: Pick<BpfProgram, 'instructions'> = { instructions: () => code };
  return { code, program: program as BpfProgram };
}

const both = [
  [callKernelFunction, 0x5e551001],
  [0x00b7, 0x5e551001],
  [callKernelFunction, 0x5e551002],
] as const;

test('the BTF ids take the place of the placeholders, and of nothing else', () => {
  const { code, program } = programOf(both);
  fillSessionCalls(program, (name) => (name === 'bpf_session_cookie' ? 22 : 11));
  assert.deepEqual(
    [code.getInt32(4, true), code.getInt32(12, true), code.getInt32(20, true)],
    [11, 0x5e551001, 22],
  );
});

test('a kernel without the functions is told so', () => {
  assert.throws(
    () => {
      fillSessionCalls(programOf(both).program, () => undefined);
    },
    { code: 'SKBSPAN_UNSUPPORTED', message: /bpf_session_is_return/ },
  );
});

test('a program that lacks a call is refused before load', () => {
  assert.throws(
    () => {
      fillSessionCalls(programOf(both.slice(0, 1)).program, () => 1);
    },
    { code: 'SKBSPAN_INTERNAL' },
  );
});
