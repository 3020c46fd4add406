/** Hands values from callbacks to one `for await`: whoever puts waits until the value is done with. */
export interface Handover<T> {
  /** Resolves when the taker asks for the next one: true; or when no more are taken, and nobody is done with it: false. */
  put(value: T): Promise<boolean>;
  end(): void;
  fail(error: Error): void;
  taken(): AsyncGenerator<T, void, undefined>;
}

interface Waiting<T> {
  readonly value: T;
  readonly settle: (isDone: boolean) => void;
}

export function createHandover<T>(): Handover<T> {
  const waiting: Waiting<T>[] = [];
  let inHand: Waiting<T> | undefined;
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  const stop = (): void => {
    ended = true;
    inHand?.settle(false);
    for (const { settle } of waiting.splice(0)) settle(false);
    wake?.();
  };

  return {
    put(value) {
      if (ended) return Promise.resolve(false);
      return new Promise((settle) => {
        waiting.push({ value, settle });
        wake?.();
      });
    },
    end: stop,
    fail(error) {
      failure ??= error;
      stop();
    },
    async *taken() {
      while (true) {
        inHand = waiting.shift();
        if (inHand !== undefined) {
          yield inHand.value;
          inHand.settle(true);
        } else if (failure !== undefined) throw failure;
        else if (ended) return;
        else {
          await new Promise<void>((resolve) => (wake = resolve));
          wake = undefined;
        }
      }
    },
  };
}
