import { bpf, withFd } from './bpf-syscall.ts';

/*
 * A tc program that does nothing, with the type information that tracing it needs: to find out whether this kernel lets programs
 * be traced at all where none is loaded. Its BTF (include/uapi/linux/btf.h): a header of 24 bytes, three types, their names.
 */
const header = (typeBytes: number, nameBytes: number): Uint32Array =>
  Uint32Array.of(0x0001eb9f, 24, 0, typeBytes, typeBytes, nameBytes); // magic, version 1; its length; offsets and lengths

const kind = (number: number, linkage = 0): number => (number << 24) | linkage;

const types = Uint32Array.of(
  ...[1, kind(1), 4, (1 << 24) | 32], // 1: int, 4 bytes, signed, 32 bits
  ...[0, kind(13), 1], // 2: int ()
  ...[5, kind(12, 1), 2], // 3: skbspan_trial, global, of type 2
);
const names = Buffer.from('\0int\0skbspan_trial\0', 'latin1');
/** BTF id of its function. */
export const trialFunction = 3;

const schedCls = 3; // enum bpf_prog_type
const returnZero = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

const loadTypes = (): number => {
  const blob = Buffer.concat([
    Buffer.from(header(types.byteLength, names.length).buffer),
    Buffer.from(types.buffer),
    names,
  ]);
  const attr = new DataView(new ArrayBuffer(28));
  attr.setUint32(16, blob.length, true);
  return bpf('loading type information', 'btfLoad', attr, [[0, blob]]);
};

/** Loads it: a file descriptor, which the caller closes. Throws SystemError. */
export const loadTrialProgram = (): number =>
  withFd(loadTypes, (typesFd) => {
    const attr = new DataView(new ArrayBuffer(120));
    attr.setUint32(0, schedCls, true);
    attr.setUint32(4, returnZero.length / 8, true);
    attr.setUint32(72, typesFd, true);
    attr.setUint32(76, 8, true); // bytes of a struct bpf_func_info: instruction, type id
    attr.setUint32(88, 1, true);
    return bpf('loading a program', 'progLoad', attr, [
      [8, returnZero],
      [16, Buffer.from('GPL\0')],
      [80, Uint32Array.of(0, trialFunction)],
    ]);
  });
