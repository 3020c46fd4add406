import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellingLine, verifierError } from '../../src/ffi/verifier-log.ts';

const log = `libbpf: prog 'enter': BPF program load failed: Permission denied
libbpf: prog 'enter': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; return *ctx; @ x.bpf.c:16
0: (61) r0 = *(u32 *)(r1 +8000)
invalid bpf_context access off=8000 size=4
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'enter': failed to load: -13
`;

test('the telling line is the verdict, not the statistics after it', () => {
  assert.equal(tellingLine(log), 'invalid bpf_context access off=8000 size=4');
});

test('a verdict about a register is one, a dump of registers is none', () => {
  const dump = '897: frame2: R1_w=scalar() R2_w=scalar(umax=4294967295) R10=fp0\nR1=ctx() R10=fp0';
  const verdict = "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'";
  assert.equal(tellingLine(`${verdict}\n${dump}\n`), verdict);
});

test('the error keeps the whole log and counts what it left out', () => {
  const error = verifierError(log);
  assert.ok(error);
  assert.equal(error.code, 'SKBSPAN_VERIFIER');
  assert.equal(error.log, log);
  assert.match(error.message, /program enter: invalid bpf_context .* \(8 lines omitted\)$/);
});

test('a log without a verdict is no verifier error', () => {
  assert.equal(verifierError('libbpf: elf: failed to open x\n'), undefined);
});
