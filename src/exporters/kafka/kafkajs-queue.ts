import { createRequire } from 'node:module';

interface RequestQueue {
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  throttleCheckTimeoutId: unknown;
  checkPendingRequests(): void;
}

/**
 * An idle connection of kafkajs looks every millisecond whether a request waits (src/network/requestQueue/index.js: the time to
 * wait is negative when the broker does not throttle; tulios/kafkajs#1751), 882 times a second, and Node 24 warns of it. It only
 * has to look while one waits; a request that is answered makes it look anyhow.
 */
export function calmQueue(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue') as {
    readonly prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
  };
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
    const throttledMs = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledMs > 0 ? throttledMs : 10,
    );
  };
}
