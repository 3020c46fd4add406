import { readdirSync } from 'node:fs';

/** Whether functions of this kernel have been replaced while it runs (Documentation/livepatch/livepatch.rst). */
export const isLivepatched = (folder = '/sys/kernel/livepatch'): boolean => {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false; // built without
  }
};
