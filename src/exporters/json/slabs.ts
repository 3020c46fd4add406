/**
 * Memory that records are written to, many in one slab. A slab whose records have all been given back is written again: else new
 * ones would come faster than V8's garbage collector expects, which is busy then with nothing else. A record that is never given
 * back (it was lost, or is kept in a spill) leaves its slab to the collector, which is always right.
 */
export interface Slab {
  readonly bytes: Buffer;
  /** Of `bytes`: a plain number, since it is asked for with every piece. */
  readonly size: number;
  /** Of all of `bytes`. */
  readonly view: DataView;
  /** Records in it that are not given back, and one for who writes. */
  users: number;
}

const SLAB_BYTES = 1024 * 1024;
/** More than are under way at once with brokers that answer. */
const FREE_MOST = 8;

const free: Slab[] = [];
const slabs = new WeakMap<ArrayBufferLike, Slab>();

function makeSlab(bytes: Buffer): Slab {
  const { buffer, byteOffset, byteLength } = bytes;
  return { bytes, size: byteLength, view: new DataView(buffer, byteOffset, byteLength), users: 1 };
}

export const emptySlab = (): Slab => makeSlab(Buffer.alloc(0));

/** For one who writes, `atLeast` bytes long. */
export function takeSlab(atLeast: number): Slab {
  const known = atLeast <= SLAB_BYTES ? free.pop() : undefined;
  if (known !== undefined) {
    known.users = 1;
    return known;
  }
  const slab = makeSlab(Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, atLeast)));
  slabs.set(slab.bytes.buffer, slab);
  return slab;
}

export function leaveSlab(slab: Slab): void {
  slab.users--;
  if (slab.users === 0 && slab.bytes.length === SLAB_BYTES && free.length < FREE_MOST)
    free.push(slab);
}

/** Gives a record back, once, when nobody will read it again; memory of other kinds is left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  const slab = slabs.get(buffer);
  if (slab !== undefined) leaveSlab(slab);
}
