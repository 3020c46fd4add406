/**
 * Tail sampling: which finished paths are worth handing to the outputs. Rules are joined by commas; a path is kept if one of
 * them holds.
 *
 *   rules     = rule *( "," rule )
 *   rule      = "dropped" | "errors" | "incomplete" | slow | share | flow
 *   slow      = "slow>" number ( "ns" | "us" | "ms" | "s" )
 *   share     = "1/" number                        ; by the trace id: the same ones wherever it is the same
 *   flow      = "flow=" ( protocol [ "/" end ] | end )
 *   end       = address [ "/" prefix ] [ ":" port ] | ":" port      ; an IPv6 address with a port in brackets
 */
import { BlockList, isIP } from 'node:net';
import type { Flow, PacketPath } from '../event/packet-path.ts';

export type Keep = (path: PacketPath) => boolean;

const unitNs = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 } as const;
const NOT_AN_ADDRESS = 0;

/** What a text asks for; an array of mistakes if it makes no sense. */
export function parseKeep(text: string): Keep | readonly string[] {
  const rules: Keep[] = [];
  const mistakes: string[] = [];
  for (const word of text.split(',')) {
    const rule = parseRule(word.trim());
    if (typeof rule === 'string') mistakes.push(rule);
    else rules.push(rule);
  }
  return mistakes.length > 0 ? mistakes : (path) => rules.some((rule) => rule(path));
}

function parseRule(word: string): Keep | string {
  if (word === 'dropped') return isDropped;
  if (word === 'errors') return hasError;
  if (word === 'incomplete') return (path) => path.losses.length > 0;
  const slow = /^slow>(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(word);
  if (slow !== null) {
    const limitNs = Number(slow[1]) * unitNs[slow[2] as keyof typeof unitNs];
    return ({ durationNs }) => durationNs > limitNs;
  }
  const share = /^1\/([1-9]\d{0,8})$/.exec(word);
  if (share !== null) {
    const rate = Number(share[1]);
    return ({ traceId }) => hashOf(traceId) % rate === 0;
  }
  if (word.startsWith('flow=')) return parseFlow(word.slice('flow='.length));
  return `'${word}' is no rule: there are dropped, errors, incomplete, slow>5ms, 1/1000, flow=tcp/10.0.0.7:443`;
}

const isDropped: Keep = ({ lives }) => lives.some(({ end }) => end?.how === 'dropped');

const MAX_ERRNO = 4095;

/** A function returned an error number, as an int or as a pointer. */
const hasError: Keep = ({ lives }) =>
  lives.some(({ calls }) =>
    calls.some(({ returnValue }) => {
      if (returnValue === undefined) return false;
      const upper = Number(returnValue >> 32n);
      const lower = Number(returnValue & 0xffff_ffffn) | 0;
      return lower < 0 && lower >= -MAX_ERRNO && (upper === 0 || upper === 0xffff_ffff);
    }),
  );

/** Ids of one run differ in their last digits only, so every digit has to count. */
function hashOf(traceId: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < traceId.length; i++)
    hash = Math.imul(hash ^ traceId.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846c_a68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface End {
  readonly isAddress: (address: string) => boolean;
  readonly port: number | undefined;
}

function parseFlow(text: string): Keep | string {
  const [, protocol, slash, rest] = /^([a-z][a-z0-9-]*?)(\/|$)(.*)$/.exec(text) ?? [];
  const isProtocol = protocol !== undefined && isIP(protocol) === NOT_AN_ADDRESS;
  const endText = isProtocol ? (rest ?? '') : text;
  const end = endText === '' && isProtocol && slash !== '/' ? anyEnd : parseEnd(endText);
  if (end === undefined)
    return `'flow=${text}': want tcp, 10.0.0.7, 10.0.0.0/8, 10.0.0.7:443, :443, [fd00::1]:443 or tcp/ before one of them`;
  const matches = (flow: Flow): boolean =>
    (!isProtocol || flow.transport === protocol) &&
    ((end.isAddress(flow.sourceAddress) && isPort(end, flow.sourcePort)) ||
      (end.isAddress(flow.destinationAddress) && isPort(end, flow.destinationPort)));
  // Before NAT and after it.
  return ({ lives }) =>
    lives.some(({ packets }) => packets.some(({ flow }) => flow !== undefined && matches(flow)));
}

const anyEnd: End = { isAddress: () => true, port: undefined };
const isPort = (end: End, port: number | undefined): boolean =>
  end.port === undefined || end.port === port;

function parseEnd(text: string): End | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  const plain = /^([^:]*)(?::(\d+))?$/.exec(text);
  const [addressText, portText] = bracketed?.slice(1) ?? plain?.slice(1) ?? [text];
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > 0xffff) return undefined;
  if (addressText === '' || addressText === undefined)
    return port === undefined ? undefined : { ...anyEnd, port };
  const [address = '', prefixText] = addressText.split('/');
  const version = isIP(address);
  if (version === NOT_AN_ADDRESS) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  if (!/^\d*$/.test(prefixText ?? '') || prefixText === '' || prefix > bits) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const net = new BlockList();
  net.addSubnet(address, prefix, family);
  return {
    port,
    isAddress: (other) => isIP(other) === version && net.check(other, family),
  };
}
