/** Filter expressions of libpcap as code for bpf/filter.h. */
import { SkbspanError, UsageError } from '../errors.ts';
import { filterWindow } from '../event/layout.ts';
import { compilePcap, type PcapLinkType } from '../ffi/libpcap.ts';
import type { Code } from './assembler.ts';
import { classes, classOf, decodeClassic, modeOf, modes } from './classic.ts';
import { agreeOnIp } from './either-window.ts';
import { injectFunction } from './inject.ts';
import type { InPlace } from './packet-loads.ts';
import { translate, type WindowProgram } from './translate.ts';

/** What the user wrote; undefined: not asked for. */
export interface PcapExpressions {
  /** The packet itself. */
  readonly packet: string | undefined;
  /** The packet in a tunnel, from its MAC header, and from its IP header on. */
  readonly tunnelLink: string | undefined;
  readonly tunnelNetwork: string | undefined;
}

const linkHeaderBytes: Readonly<Record<PcapLinkType, number>> = { ethernet: 14, raw: 0 };

const matchesNothing = [{ code: 0x06, jt: 0, jf: 0, k: 0 }];

/** A compiled filter: code to be put into the object, and which windows it looks at. */
export interface PcapFilter {
  /** For any kernel; quicker code for one that has what `inPlace` tells. */
  code(inPlace?: InPlace): Code;
  readonly packet: boolean;
  /** Whether that of the packet can be asked with a glance: enum glance in bpf/config.h. */
  readonly glance: { readonly possible: boolean; readonly either: boolean };
  readonly tunnelLink: boolean;
  readonly tunnelNetwork: boolean;
}

const isUsage = (error: unknown): boolean =>
  error instanceof SkbspanError && error.code === 'SKBSPAN_USAGE';

function compile(expression: string, linkType: PcapLinkType, window: number): WindowProgram {
  return {
    window,
    instructions: decodeClassic(compilePcap(expression, linkType)),
    linkHeaderBytes: linkHeaderBytes[linkType],
  };
}

const asksLength = ({ instructions }: WindowProgram): boolean =>
  instructions.some(({ code }) => classOf(code) <= classes.ldx && modeOf(code) === modes.len);

/** An expression about Ethernet says nothing about a packet without a MAC header: that does not match. */
function compileNetwork(expression: string): WindowProgram {
  try {
    return compile(expression, 'raw', filterWindow.network);
  } catch (error) {
    if (!isUsage(error)) throw error;
    return { window: filterWindow.network, instructions: matchesNothing, linkHeaderBytes: 0 };
  }
}

function compileBoth(expression: string): WindowProgram[] {
  const link = compile(expression, 'ethernet', filterWindow.link);
  const network = compileNetwork(expression);
  const isEither = agreeOnIp(link.instructions, network.instructions);
  return [isEither ? { ...link, either: filterWindow.either } : link, network];
}

/**
 * Compiles and translates; undefined if nothing was asked for. Throws one UsageError with libpcap's message for each bad
 * expression.
 */
export function compilePcapFilter(expressions: PcapExpressions): PcapFilter | undefined {
  const { packet, tunnelLink, tunnelNetwork } = expressions;
  const programs: WindowProgram[] = [];
  const mistakes: string[] = [];
  const add = (what: string, expression: string | undefined, make: (text: string) => unknown) => {
    if (expression === undefined) return;
    try {
      make(expression);
    } catch (error) {
      if (!isUsage(error)) throw error;
      mistakes.push(`${what} '${expression}': ${(error as Error).message}`);
    }
  };
  add('filter', packet, (text) => programs.push(...compileBoth(text)));
  add('--filter-tunnel-pcap-l2', tunnelLink, (text) =>
    programs.push(compile(text, 'ethernet', filterWindow.innerLink)),
  );
  add('--filter-tunnel-pcap-l3', tunnelNetwork, (text) =>
    programs.push(compile(text, 'raw', filterWindow.innerNetwork)),
  );
  if (mistakes.length > 0) {
    throw new UsageError(mistakes.join('\n  '), {
      advice: 'The language is that of tcpdump: man pcap-filter.',
    });
  }
  if (programs.length === 0) return undefined;
  const ofPacket = programs.filter(
    ({ window }) => window === filterWindow.link || window === filterWindow.network,
  );
  const code = translate(programs);
  return {
    code: (inPlace) => (inPlace === undefined ? code : translate(programs, inPlace)),
    packet: packet !== undefined,
    glance: {
      possible: packet !== undefined && !ofPacket.some(asksLength),
      either: ofPacket.some(({ either }) => either !== undefined),
    },
    tunnelLink: tunnelLink !== undefined,
    tunnelNetwork: tunnelNetwork !== undefined,
  };
}

/** The object file with the filter in it. */
export const injectPcapFilter = (object: Uint8Array, code: Code): Uint8Array =>
  injectFunction(object, 'pcap_filter', code, 'read_fragments');
