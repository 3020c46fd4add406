import koffi, { type LibraryHandle } from 'koffi';
import { SkbspanError } from '../errors.ts';
import { addressOf, holding } from './libc.ts';

/*
 * libpcap as the compiler of filter expressions, and its interpreter, against which the translation is tested. Nothing is
 * captured by it. Functions as declared in pcap/pcap.h.
 */

/** What a packet begins with, as DLT_* number on Linux (pcap/dlt.h): an Ethernet header, or an IP header. */
export const pcapLinkTypes = { ethernet: 1, raw: 12 } as const;
export type PcapLinkType = keyof typeof pcapLinkTypes;

interface Libpcap {
  openDead(linkType: number, snaplen: number): bigint | null;
  compile(pcap: bigint, program: Uint8Array, text: string, optimize: number, mask: number): number;
  errorText(pcap: bigint): string;
  freeCode(program: Uint8Array): void;
  close(pcap: bigint): void;
  offlineFilter(program: Uint8Array, header: Uint8Array, packet: Uint8Array): number;
  version(): string;
}

/** libpcap.so.0.8 is Debian's name for what others call libpcap.so.1. */
const libraryNames = ['libpcap.so.0.8', 'libpcap.so.1'];

const openLibrary = (): LibraryHandle => {
  const causes: unknown[] = [];
  for (const name of libraryNames) {
    try {
      return koffi.load(name);
    } catch (error) {
      causes.push(error);
    }
  }
  throw new SkbspanError('SKBSPAN_UNSUPPORTED', 'libpcap cannot be loaded', {
    advice: 'Filter expressions need it (Debian: apt install libpcap0.8).',
    cause: causes[0],
  });
};

let loaded: Libpcap | undefined;

const libpcap = (): Libpcap => {
  if (loaded !== undefined) return loaded;
  const library = openLibrary();
  loaded = {
    openDead: library.func('void *pcap_open_dead(int linktype, int snaplen)'),
    compile: library.func(
      'int pcap_compile(void *p, _Inout_ void *fp, const char *str, int optimize, uint32_t netmask)',
    ),
    errorText: library.func('const char *pcap_geterr(void *p)'),
    freeCode: library.func('void pcap_freecode(_Inout_ void *fp)'),
    close: library.func('void pcap_close(void *p)'),
    offlineFilter: library.func('int pcap_offline_filter(void *fp, void *h, void *pkt)'),
    version: library.func('const char *pcap_lib_version()'),
  };
  return loaded;
};

/** `libpcap version 1.10.3 (with TPACKET_V3)`. */
export const pcapVersion = (): string => libpcap().version();

/*
 * struct bpf_program { u_int bf_len; struct bpf_insn *bf_insns; }
 * struct bpf_insn    { u_short code; u_char jt; u_char jf; bpf_u_int32 k; }
 */
const programBytes = 16;
const instructionBytes = 8;
/** "any length": a packet that matches is kept whole. Only zero or not counts here. */
const snaplen = 262_144;
const netmaskUnknown = 0xffffffff;

/** Lends the compiled expression to `use`. Throws SKBSPAN_USAGE with libpcap's message as the whole text. */
const withProgram = <T>(
  expression: string,
  linkType: PcapLinkType,
  use: (program: Uint8Array) => T,
): T => {
  const native = libpcap();
  const pcap = native.openDead(pcapLinkTypes[linkType], snaplen);
  if (pcap === null) throw new SkbspanError('SKBSPAN_INTERNAL', 'pcap_open_dead failed');
  const program = new Uint8Array(programBytes);
  try {
    if (native.compile(pcap, program, expression, 1, netmaskUnknown) < 0) {
      throw new SkbspanError('SKBSPAN_USAGE', native.errorText(pcap));
    }
    try {
      return use(program);
    } finally {
      native.freeCode(program);
    }
  } finally {
    native.close(pcap);
  }
};

/**
 * The classic BPF instructions (struct bpf_insn, 8 bytes each, host order) that libpcap makes of an expression. Throws
 * SkbspanError SKBSPAN_USAGE whose message is libpcap's own.
 */
export const compilePcap = (expression: string, linkType: PcapLinkType): Uint8Array =>
  withProgram(expression, linkType, (program) => {
    const view = new DataView(program.buffer);
    const count = view.getUint32(0, true);
    const code = koffi.view(view.getBigUint64(8, true), count * instructionBytes);
    return new Uint8Array(code).slice();
  });

/** Says which packets match, by libpcap's own interpreter. */
export type PcapMatcher = (packet: Uint8Array, wireLength: number) => boolean;

const matcherOf = (program: Uint8Array): PcapMatcher => {
  // struct pcap_pkthdr { struct timeval ts; bpf_u_int32 caplen; bpf_u_int32 len; }
  const header = new Uint8Array(24);
  const view = new DataView(header.buffer);
  return (packet, wireLength) => {
    view.setUint32(16, packet.length, true);
    view.setUint32(20, wireLength, true);
    return libpcap().offlineFilter(program, header, packet) !== 0;
  };
};

/** Compiles an expression and lends its interpreter to `use`. Throws as compilePcap does. */
export const withPcapMatcher = <T>(
  expression: string,
  linkType: PcapLinkType,
  use: (matches: PcapMatcher) => T,
): T => withProgram(expression, linkType, (program) => use(matcherOf(program)));

/** Lends the interpreter of classic BPF instructions to `use`. They must be valid: nothing checks them. */
export const withClassicMatcher = <T>(
  instructions: Uint8Array,
  use: (matches: PcapMatcher) => T,
): T =>
  holding([instructions], () => {
    const program = new Uint8Array(programBytes);
    const view = new DataView(program.buffer);
    view.setUint32(0, instructions.length / instructionBytes, true);
    view.setBigUint64(8, addressOf(instructions), true);
    return use(matcherOf(program));
  });
