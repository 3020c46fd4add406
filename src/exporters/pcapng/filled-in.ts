import type { Flow } from '../../event/packet-path.ts';

/** A packet made here is first seen before its ports, or its ARP operation, are written: that is no name of it. */
export const isFilledIn = (flow: Flow | undefined): flow is Flow =>
  flow !== undefined &&
  (flow.sourcePort !== 0 || flow.destinationPort !== 0) &&
  !(flow.network === 'arp' && flow.detail === 'operation 0');
