import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Origin } from '../../event/packet-path.ts';

/** This host and its boot. */
export function readOrigin(): Origin {
  let bootId = '';
  try {
    bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // A container may hide it.
  }
  return { host: hostname(), bootId };
}
