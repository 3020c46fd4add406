/** What `skbspan check` says of tc and XDP programs. */
import { SkbspanError } from '../errors.ts';
import { attachTracingProgram, loadTracingProgram } from '../ffi/bpf-programs.ts';
import { withFd } from '../ffi/bpf-syscall.ts';
import { closeFd } from '../ffi/libc.ts';
import { loadTrialProgram, trialFunction } from '../ffi/trial-program.ts';
import { obstacle, programLister, refusalsInWords } from './loaded-programs.ts';
import type { RefusedProbe } from './probe-plan.ts';
import { programKinds, type ProgramKind } from './program-templates.ts';

/** Puts a program before one of our own, and takes all back. Throws SkbspanError: why programs cannot be traced here. */
async function tryTracing(): Promise<void> {
  const targetFd = loadTrialProgram();
  try {
    const doNothing = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
    const trial = { name: 'trial', instructions: doNothing, end: 'enter' } as const;
    const program = await loadTracingProgram({ ...trial, targetFd, targetFunction: trialFunction });
    try {
      (await attachTracingProgram(program, trial, 1n)).close();
    } finally {
      closeFd(program);
    }
  } finally {
    closeFd(targetFd);
  }
}

interface Loaded {
  readonly counts: Readonly<Record<ProgramKind, number>>;
  readonly refused: readonly RefusedProbe[];
}

function listPrograms(): Loaded {
  const counts = { tc: 0, xdp: 0 };
  const refused: RefusedProbe[] = [];
  for (const { kind, fd, program } of programLister(new Set(programKinds))()) {
    counts[kind]++;
    withFd(
      () => fd,
      () => {
        const reason = obstacle(program);
        if (reason !== undefined)
          refused.push({ name: `${kind}:${program.name} (id ${program.id})`, reason });
      },
    );
  }
  return { counts, refused };
}

const counted = (count: number, what: string): string =>
  `${count} ${what} program${count === 1 ? '' : 's'}`;

/**
 * How many programs are loaded, and whether this kernel lets them be traced, in sentences. Tries it on a program of its own,
 * so it knows where none is loaded, too. What cannot be found out is said as well.
 */
export async function surveyPrograms(): Promise<readonly string[]> {
  try {
    const { counts, refused } = listPrograms();
    const loaded = `Loaded: ${counted(counts.tc, 'tc')} and ${counted(counts.xdp, 'XDP')}`;
    try {
      await tryTracing();
    } catch (error) {
      if (!(error instanceof SkbspanError)) throw error;
      return [`${loaded}; they cannot be traced here: ${error.message}.`];
    }
    return [`${loaded}; this kernel lets them be traced.`, ...refusalsInWords(refused)];
  } catch (error) {
    if (!(error instanceof SkbspanError)) throw error;
    return [`tc and XDP programs cannot be listed: ${error.message}.`];
  }
}
