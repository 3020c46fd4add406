/** Hands values from callbacks to one `for await`: whoever puts waits until the value is done with. */
export interface Handover<T> {
  /** Resolves when the taker asks for the next one, or no more are taken. */
  put(value: T): Promise<void>;
  end(): void;
  fail(error: Error): void;
  taken(): AsyncGenerator<T, void, undefined>;
}

export function createHandover<T>(): Handover<T> {
  const waiting: { readonly value: T; readonly done: () => void }[] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  const stop = (): void => {
    ended = true;
    for (const { done } of waiting) done();
    wake?.();
  };

  return {
    put(value) {
      if (ended) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push({ value, done: resolve });
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
        const next = waiting.shift();
        if (next !== undefined) {
          yield next.value;
          next.done();
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
