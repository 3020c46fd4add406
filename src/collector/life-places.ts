/**
 * The places of lives (bpf/lives.h): one value of an array map, so that a program has the address of a place without a look-up. libbpf
 * fixes the size of such a value when it opens an object, and it depends on --max-lives: so the map is made here, and its file
 * descriptor put into the instructions that load its address, before libbpf sees them.
 */
import { SkbspanError } from '../errors.ts';
import { life } from '../event/layout.ts';
import { createRawMap } from '../ffi/bpf-syscall.ts';
import { lifeSizes } from './table-sizes.ts';

/** LIFE_PLACES_MARK in bpf/lives.h: the number that stands for the address. */
const mark = { low: 0x666c7073, high: 0x73656369 } as const;

/** BPF_LD | BPF_DW | BPF_IMM: two instructions of 8 bytes, code u8, registers u8 (the source is the upper half), offset s16, value s32. */
const loadNumber = 0x18;
/** BPF_PSEUDO_MAP_VALUE as the source: the value is a map's file descriptor and an offset into its only value. */
const ofMap = 2;
const instructionBytes = 8;

/** A file descriptor, the caller closes it. `lives`: how many there may be at once; undefined: the default. Throws SystemError. */
export function createLifePlaces(lives: number | undefined): number {
  const { homes, spares } = lifeSizes(lives);
  return createRawMap('array', 4, life.size * (homes + spares), 1, 'lives');
}

/** Puts the map into the code of an object file, in place. Throws SKBSPAN_INTERNAL if none of it asks for a place. */
export function putLifePlaces(object: Uint8Array, fd: number): void {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  let found = 0;
  for (let at = 0; at + 2 * instructionBytes <= object.length; at += instructionBytes) {
    if (view.getUint32(at + 4, true) !== mark.low || view.getUint8(at) !== loadNumber) continue;
    if (view.getUint32(at + instructionBytes + 4, true) !== mark.high) continue;
    view.setUint8(at + 1, (view.getUint8(at + 1) & 0x0f) | (ofMap << 4));
    view.setUint32(at + 4, fd, true);
    view.setUint32(at + instructionBytes + 4, 0, true);
    found++;
  }
  if (found === 0)
    throw new SkbspanError('SKBSPAN_INTERNAL', 'the BPF object asks for no place of a life');
}
