/** Small numbers together with what stands around them. */
import { put, putText, type JsonBytes } from './bytes.ts';
import { piece, type Piece } from './pieces.ts';

/** A small number that stands between what is always the same: the three are one piece for each number that has come so far. */
export interface Numbered {
  readonly before: string;
  readonly after: string;
  /** By the number and one: -1 is a number of its own in many places. */
  readonly made: (Piece | undefined)[];
}

const SMALL = 64;

export const numbered = (before: string, after: string): Numbered => ({
  before,
  after,
  made: Array.from({ length: SMALL + 1 }, () => undefined),
});

export function putNumbered(
  out: JsonBytes,
  { before, after, made }: Numbered,
  value: number,
): void {
  if (value < -1 || value >= SMALL || (value | 0) !== value) {
    putText(out, `${before}${value}${after}`);
    return;
  }
  let known = made[value + 1];
  if (known === undefined) {
    known = piece(`${before}${value}${after}`);
    made[value + 1] = known;
  }
  put(out, known);
}
