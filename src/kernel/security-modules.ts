import { readFileSync } from 'node:fs';

/** One for the machine, made at boot (security/inode.c). */
const list = '/sys/kernel/security/lsm';

/**
 * Linux security modules that are active: `capability`, `apparmor`, ... They are chosen at boot and none joins them later. undefined:
 * the kernel does not tell, for securityfs is not mounted here.
 */
export const activeSecurityModules = (path = list): ReadonlySet<string> | undefined => {
  try {
    return new Set(readFileSync(path, 'utf8').trim().split(','));
  } catch {
    return undefined;
  }
};
