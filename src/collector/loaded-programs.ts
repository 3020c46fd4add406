/** Which tc and XDP programs are loaded, and whether they can be traced. */
import {
  type LoadedProgram,
  nextProgramId,
  openProgram,
  programInfo,
  readBtf,
} from '../ffi/bpf-programs.ts';
import { closeFd } from '../ffi/libc.ts';
import { parseBtf } from '../kernel/btf.ts';
import type { RefusedProbe } from './probe-plan.ts';
import type { ProgramKind } from './program-templates.ts';

/** enum bpf_prog_type, include/uapi/linux/bpf.h: SCHED_CLS, SCHED_ACT, XDP. */
const kindOfType = new Map<number, ProgramKind>([
  [3, 'tc'],
  [4, 'tc'],
  [6, 'xdp'],
]);

export interface FoundProgram {
  /** The caller closes it. */
  readonly fd: number;
  readonly program: LoadedProgram;
  readonly kind: ProgramKind;
}

/** Each call gives the programs of these kinds that were loaded since the call before. Ids count up. */
export function programLister(kinds: ReadonlySet<ProgramKind>): () => FoundProgram[] {
  let lastId = 0;
  return () => {
    const found: FoundProgram[] = [];
    for (let id = nextProgramId(lastId); id !== undefined; id = nextProgramId(id)) {
      lastId = id;
      const fd = openProgram(id);
      if (fd === undefined) continue;
      const program = programInfo(fd);
      const kind = kindOfType.get(program.type);
      if (kind !== undefined && kinds.has(kind)) found.push({ fd, program, kind });
      else closeFd(fd);
    }
    return found;
  };
}

/** The name of its main function, which the kernel cuts to 15 bytes elsewhere. */
export const fullName = ({ btfId, mainFunction, name }: LoadedProgram): string =>
  parseBtf(readBtf(btfId), undefined, `program ${name}`).name(mainFunction) || name;

/** Why a program cannot be traced, from what the kernel says of it; undefined: nothing speaks against it. */
export function obstacle(program: LoadedProgram): string | undefined {
  if (program.btfId === 0 || program.mainFunction === 0)
    return 'no type information was loaded with it (compile with clang -g)';
  if (!program.isJited) return 'the kernel interprets it (sysctl net.core.bpf_jit_enable=1)';
  return undefined;
}

/** More names in one message help nobody. */
const namesInMessage = 8;

/** What is not traced, in words: a sentence per reason, not per program. */
export function refusalsInWords(refused: readonly RefusedProbe[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of refused)
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  return [...byReason].map(([reason, names]) => {
    const more = names.length - namesInMessage;
    const who = `${names.slice(0, namesInMessage).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return `${who} ${names.length === 1 ? 'is' : 'are'} not traced: ${reason}`;
  });
}
