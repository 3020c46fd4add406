/** What blocks are made of: their frame, and options (grammar: blocks.ts). */
import type { BlockBuffer } from './block-buffer.ts';

/** An option's length is a u16. */
export const optionBytesMax = 0xffff;

export function refuse(isWrong: boolean, what: string): void {
  if (isWrong) throw new RangeError(`pcapng: ${what}`);
}

/** Writes what `body` appends as one block; if that throws, nothing. */
export function block(out: BlockBuffer, type: number, body: () => void): void {
  const start = out.length;
  try {
    out.u32(type);
    out.u32(0);
    body();
    const total = out.length - start + 4;
    out.setU32(start + 4, total);
    out.u32(total);
  } catch (error) {
    out.truncate(start);
    throw error;
  }
}

export function option(
  out: BlockBuffer,
  code: number,
  value: Uint8Array | string | undefined,
): void {
  if (value === undefined || value.length === 0) return;
  out.u16(code);
  const lengthAt = out.length;
  out.u16(0);
  let length: number;
  if (typeof value === 'string') length = out.text(value);
  else {
    out.bytes(value);
    length = value.length;
  }
  refuse(length > optionBytesMax, `option ${code} has ${length} bytes, ${optionBytesMax} fit`);
  out.setU16(lengthAt, length);
  out.pad();
}

export function optionU32(out: BlockBuffer, code: number, value: number): void {
  out.u32(code | (4 << 16));
  out.u32(value);
}

export function optionU64(out: BlockBuffer, code: number, value: bigint | undefined): void {
  if (value === undefined) return;
  out.u16(code);
  out.u16(8);
  out.u64(value);
}

/** High half first, in a little-endian file too. */
export function optionTime(out: BlockBuffer, code: number, value: bigint | undefined): void {
  if (value === undefined) return;
  out.u16(code);
  out.u16(8);
  time(out, value);
}

export function time(out: BlockBuffer, value: bigint): void {
  out.u32(Number((value >> 32n) & 0xffffffffn));
  out.u32(Number(value & 0xffffffffn));
}

export const endOptions = (out: BlockBuffer): void => {
  out.u32(0);
};
