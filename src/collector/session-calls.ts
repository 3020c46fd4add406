import { SkbspanError } from '../errors.ts';
import type { BpfProgram } from '../ffi/libbpf.ts';

/**
 * The calls of kernel functions in program `session` (bpf/skbspan.bpf.c): placeholder -> kernel function whose BTF id takes
 * its place. libbpf would do it from an extern declaration, but it compares prototypes, and those differ between kernels.
 */
const placeholders = new Map([
  [0x5e551001, 'bpf_session_is_return'],
  [0x5e551002, 'bpf_session_cookie'],
]);

/** The kernel functions that program `session` calls. */
export const sessionFunctions: readonly string[] = [...placeholders.values()];

const instructionBytes = 8;
const immediateOffset = 4;

/**
 * Fills the BTF ids in, before load. Throws SKBSPAN_UNSUPPORTED if the kernel lacks one of the functions, SKBSPAN_INTERNAL if
 * the program does not call each of them.
 */
export function fillSessionCalls(
  program: BpfProgram,
  functionId: (name: string) => number | undefined,
): void {
  const code = program.instructions();
  const missing = new Set(placeholders.keys());
  for (let at = 0; at < code.byteLength; at += instructionBytes) {
    const placeholder = code.getInt32(at + immediateOffset, true);
    const name = placeholders.get(placeholder);
    if (name === undefined || code.getUint16(at, true) !== 0x2085) continue;
    const id = functionId(name);
    if (id === undefined) {
      throw new SkbspanError('SKBSPAN_UNSUPPORTED', `this kernel has no ${name}()`, {
        advice: 'Choose --backend kprobe-multi.',
      });
    }
    code.setInt32(at + immediateOffset, id, true);
    missing.delete(placeholder);
  }
  if (missing.size > 0) {
    throw new SkbspanError('SKBSPAN_INTERNAL', 'the session program lacks its kernel calls');
  }
}
