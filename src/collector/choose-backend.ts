/**
 * Which backend a run takes. To be certain, the kernel is asked by trials (features.ts), which take a tenth of a start. So what its types
 * already speak for is just begun with, and only if that fails are the trials made: they then say what is missing.
 */
import { SkbspanError } from '../errors.ts';
import { canSetKprobes, eachBackend } from '../kernel/features.ts';
import type { BackendName } from './backend.ts';
import { functionId } from './candidates.ts';
import { sessionFunctions } from './session-calls.ts';

/** kernel/trace/fprobe.c: there are multi links only with CONFIG_FPROBE, while the functions of sessions are always there. */
const fprobeFunction = 'register_fprobe_ips';

const unsupported = (message: string): SkbspanError =>
  new SkbspanError('SKBSPAN_UNSUPPORTED', message, {
    advice: 'Run `skbspan check` to see what is missing, or leave --backend out.',
  });

/** The backend asked for, or the best one, by trials. Throws SKBSPAN_UNSUPPORTED with what is missing. */
export function chooseBackend(asked: BackendName | undefined): BackendName {
  let lacks: readonly string[] = [];
  for (const { backend, available, missing } of eachBackend()) {
    lacks = missing;
    if (asked !== undefined && asked !== backend) continue;
    if (available) return backend;
    if (asked === undefined) continue;
    throw unsupported(`this kernel cannot do ${asked}: ${missing.join('; ')}`);
  }
  // The last one needs the least.
  throw unsupported(`packets cannot be traced here: ${lacks.join('; ')}`);
}

/** The backend that is likely to be the one, with a trial at most; undefined: only all the trials can tell. */
export function likelyBackend(asked: BackendName | undefined): BackendName | undefined {
  // Single kprobes are refused one by one, which takes longer than to try one.
  const kprobe = (): BackendName | undefined => (canSetKprobes() ? 'kprobe' : undefined);
  if (asked !== undefined) return asked === 'kprobe' ? kprobe() : asked;
  const has = (name: string): boolean => functionId(name) !== undefined;
  if (!has(fprobeFunction)) return kprobe();
  return sessionFunctions.every(has) ? 'kprobe-session' : undefined;
}
