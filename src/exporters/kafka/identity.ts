import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which host, and which of its boots, a record comes from. */
export interface Identity {
  readonly host: string;
  /** Empty: unknown. */
  readonly bootId: string;
}

/** Life ids, skb addresses and clocks mean something within one boot of one host only. */
export function readIdentity(): Identity {
  let bootId = '';
  try {
    bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // A container may hide it.
  }
  return { host: hostname(), bootId };
}
