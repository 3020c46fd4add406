import { SkbspanError } from '../errors.ts';

/** The kernel refused a program. `log` is all that the verifier and libbpf wrote. */
export class VerifierError extends SkbspanError {
  readonly log: string;

  constructor(message: string, log: string, advice?: string) {
    super('SKBSPAN_VERIFIER', message, advice === undefined ? {} : { advice });
    this.name = 'VerifierError';
    this.log = log;
  }
}

// Statistics after the verdict, source lines, register dumps, libbpf's frame around the log and what it says afterwards.
const noise =
  /^(?:$|;|processed \d|verification time|stack depth|max_states|mark_precise|libbpf: |-- (?:BEGIN|END) |\d+: (?:\(|R\d|frame\d)|R\d+\S*=|from \d|last_idx|regs=|parent )/;

/** The line of a verifier log that says what is wrong: the last one that is not bookkeeping. */
export const tellingLine = (log: string): string | undefined => {
  const body = /-- BEGIN PROG LOAD LOG --\n([^]*?)-- END PROG LOAD LOG --/.exec(log)?.[1] ?? log;
  return body
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => !noise.test(line));
};

/** A VerifierError if the log holds a verifier's verdict. */
export const verifierError = (log: string): VerifierError | undefined => {
  if (!log.includes('-- BEGIN PROG LOAD LOG --')) return undefined;
  const program = /libbpf: prog '([^']+)': BPF program load failed/.exec(log)?.[1] ?? '?';
  const line = tellingLine(log) ?? 'no reason given';
  const omitted = log.trimEnd().split('\n').length - 1;
  return new VerifierError(
    `the kernel refused program ${program}: ${line} (${omitted} lines omitted)`,
    log,
    'Please report this with the kernel version and the whole log.',
  );
};
