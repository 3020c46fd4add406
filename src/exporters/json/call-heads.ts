/** How calls begin in JSON: their bytes are made once for each function. */
import type { Call } from '../../event/packet-path.ts';
import { piece, type Piece } from './pieces.ts';
import { textOf } from './text.ts';

/** What calls of one function have in common, up to where their sequence number stands. */
interface Head {
  readonly module: string | undefined;
  readonly kind: string;
  readonly text: Piece;
}

const HEADS_MOST = 8_192;
const heads = new Map<string, Head>();

/** `{"func":"ip_rcv","module":null,"kind":"function","seq":` */
export function headOf({ func, module, kind }: Call): Piece {
  const known = heads.get(func);
  if (known !== undefined && known.module === module && known.kind === kind) return known.text;
  const text = piece(`${textOf({ func, module: module ?? null, kind }).slice(0, -1)},"seq":`);
  if (heads.size >= HEADS_MOST) heads.clear();
  heads.set(func, { module, kind, text });
  return text;
}
