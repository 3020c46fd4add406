import { SkbspanError } from '../errors.ts';

const sectionHeaderBytes = 64;

/** The bytes of a section of a little-endian ELF64 file (a BPF object); undefined if it has none of that name. */
export const elfSection = (file: Uint8Array, name: string): Uint8Array | undefined => {
  const words = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isElf64 = file.length >= 64 && words.getUint32(0, false) === 0x7f454c46 && file[4] === 2;
  if (!isElf64) throw new SkbspanError('SKBSPAN_BTF', 'this is not a 64-bit ELF file');
  const headers = Number(words.getBigUint64(0x28, true));
  const count = words.getUint16(0x3c, true);
  const header = (index: number) => {
    const at = headers + index * sectionHeaderBytes;
    const start = Number(words.getBigUint64(at + 24, true));
    return {
      nameOffset: words.getUint32(at, true),
      bytes: file.subarray(start, start + Number(words.getBigUint64(at + 32, true))),
    };
  };
  const names = Buffer.from(header(words.getUint16(0x3e, true)).bytes);
  for (let i = 1; i < count; i++) {
    const { nameOffset, bytes } = header(i);
    if (names.toString('latin1', nameOffset, names.indexOf(0, nameOffset)) === name) return bytes;
  }
  return undefined;
};
