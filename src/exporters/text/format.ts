/** How single facts of a path are written for people. All text that came from the kernel or from a packet goes through `clean`. */
import type { CodeLocation, Device, Flow, Task } from '../../event/packet-path.ts';

/**
 * Characters that a terminal would obey or that change how the rest of the line reads: C0, DEL and C1 controls, line
 * separators, zero-width and bidirectional marks, halves of surrogate pairs. A task can give itself any name.
 */
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** `text` with unsafe characters written as `\x1b` or `\u202e`. */
export const clean = (text: string): string =>
  text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** `850ns`, `12.1us`, `260us`, `3.1ms`, `1.2s`. */
export function duration(ns: number): string {
  if (ns < 1_000) return `${ns}ns`;
  const [value, unit] =
    ns < 999_500 ? [ns / 1e3, 'us'] : ns < 999_500_000 ? [ns / 1e6, 'ms'] : [ns / 1e9, 's'];
  return `${value < 99.95 ? value.toFixed(1) : value.toFixed(0)}${unit}`;
}

/** Writes the offsets of one path in one unit, so that a column of them compares at a glance. */
export function offsetWriter(pathNs: number): (ns: number) => string {
  if (pathNs < 2_000) return (ns) => `+${ns}ns`;
  if (pathNs < 100_000) return (ns) => `+${(ns / 1e3).toFixed(2)}us`;
  if (pathNs < 10_000_000) return (ns) => `+${(ns / 1e3).toFixed(1)}us`;
  if (pathNs < 10_000_000_000) return (ns) => `+${(ns / 1e6).toFixed(3)}ms`;
  return (ns) => `+${(ns / 1e9).toFixed(6)}s`;
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** Local time of day with microseconds, as tcpdump writes it. */
export function timeOfDay(epochNs: bigint): string {
  const date = new Date(Number(epochNs / 1_000_000n));
  const micros = Number((epochNs / 1_000n) % 1_000_000n);
  return `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}.${pad(micros, 6)}`;
}

export const endpoint = (
  network: Flow['network'],
  address: string,
  port: number | undefined,
): string => {
  const host = clean(address === '' ? '?' : address);
  if (port === undefined) return host;
  return network === 'ipv6' ? `[${host}]:${port}` : `${host}:${port}`;
};

/** `tcp 10.0.0.1:80 > 10.0.0.2:1234`: what makes a flow another one when it changes. */
export function flowAddresses(flow: Flow): string {
  const { network, transport } = flow;
  if (flow.sourceAddress === '' && flow.destinationAddress === '') return clean(transport);
  const source = endpoint(network, flow.sourceAddress, flow.sourcePort);
  const destination = endpoint(network, flow.destinationAddress, flow.destinationPort);
  return `${clean(transport)} ${source} > ${destination}`;
}

/** The addresses, TCP flags and details of a flow. */
export function flowText(flow: Flow | undefined): string {
  if (flow === undefined) return 'headers not seen';
  const flags = flow.tcpFlags === undefined ? '' : ` [${clean(flow.tcpFlags)}]`;
  return `${flowAddresses(flow)}${flags}${flow.detail === '' ? '' : ` ${clean(flow.detail)}`}`;
}

/** `client:veth0`; without a device `client`; empty if nothing is known. */
export function place(device: Device): string {
  const netns =
    device.netnsName !== '' ? device.netnsName : device.netns === 0 ? '' : `netns:${device.netns}`;
  const name = device.name !== '' ? device.name : device.ifindex === 0 ? '' : `if${device.ifindex}`;
  return clean([netns, name].filter((part) => part !== '').join(':'));
}

/** `ping[4711]`; the idle task as `idle`. */
export const taskName = (task: Task): string =>
  task.tid === 0 ? 'idle' : `${clean(task.comm === '' ? '?' : task.comm)}[${task.tid}]`;

export const functionName = (func: string, module: string | undefined): string =>
  module === undefined ? clean(func) : `${clean(func)} [${clean(module)}]`;

/** `nf_hook_slow+0x5a`, or the bare address. */
export function codeLocation(location: CodeLocation): string {
  if (location.func === '') return `0x${location.address.toString(16)}`;
  return functionName(`${location.func}+0x${location.offset.toString(16)}`, location.module);
}
