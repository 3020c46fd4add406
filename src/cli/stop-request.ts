/** Why a run ends: Ctrl-C or kill | --duration | --output-limit-lines | nobody reads standard output any more | it broke | done. */
export type StopReason = 'signal' | 'duration' | 'limit' | 'closed' | 'broken' | 'done';

export interface StopRequest {
  /** Resolves with the first reason given. */
  readonly requested: Promise<StopReason>;
  /** undefined: nobody asked yet. */
  readonly reason: StopReason | undefined;
  readonly request: (reason: StopReason) => void;
  /** Takes the signal handlers away. */
  dispose(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** As a shell reports an end by SIGINT. */
export const exitInterrupted = 130;

/**
 * One place to ask a run to end. The first SIGINT, SIGTERM or SIGHUP asks, a second one ends the process at once: the
 * kernel then takes all probes away by itself.
 */
export function createStopRequest(): StopRequest {
  let resolve: (reason: StopReason) => void = () => undefined;
  const requested = new Promise<StopReason>((resolveRequested) => {
    resolve = resolveRequested;
  });
  let reason: StopReason | undefined;
  let signalled = false;

  function request(why: StopReason): void {
    reason ??= why;
    resolve(why);
  }
  function onSignal(): void {
    if (signalled) process.exit(exitInterrupted);
    signalled = true;
    request('signal');
  }
  for (const signal of signals) process.on(signal, onSignal);

  return {
    requested,
    get reason() {
      return reason;
    },
    request,
    dispose() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
