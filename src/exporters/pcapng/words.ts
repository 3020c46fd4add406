/**
 * A comment of ours is one line of words that a person can read, `frame.comment contains` can filter, and a reader can take
 * apart again without loss:
 *
 *   comment = kind, (" ", key, "=", value)*          call func=ip_rcv dur=20300ns netns=host dev=eth0 cpu=1
 *   value   = printable ASCII without space and "%"; any other character of UTF-16 as %XX or %uXXXX
 *
 * Numbers are decimal, times have the unit `ns`, addresses and registers are hex with 0x. What is not known is left out.
 */

const unsafe = /[^\x21-\x24\x26-\x7e]/g;
const isUnsafe = /[^\x21-\x24\x26-\x7e]/;
const escaped = /%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/g;

/** Names come again and again; beyond this many different ones the memory begins anew. */
const KNOWN_MAX = 16_384;
/** Longer ones hardly come again. */
const KNOWN_LENGTH_MAX = 256;
const known = new Map<string, string>();

function encode(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `%${code.padStart(2, '0')}` : `%u${code.padStart(4, '0')}`;
  });
}

/** A value that `decodeWord` gives back exactly, whatever the text is. */
export function encodeWord(text: string): string {
  if (!isUnsafe.test(text)) return text;
  let word = known.get(text);
  if (word === undefined) {
    word = encode(text);
    if (text.length > KNOWN_LENGTH_MAX) return word;
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(text, word);
  }
  return word;
}

/** The text of a value; escapes that are none stay as they are. */
export const decodeWord = (word: string): string =>
  word.includes('%')
    ? word.replace(escaped, (_match, wide: string | undefined, narrow: string | undefined) =>
        String.fromCharCode(Number.parseInt(wide ?? narrow ?? '', 16)),
      )
    : word;

/** First words of our comments. */
export const commentKind = {
  /** In the section header: what the file is. */
  file: 'skbspan',
  /** A packet's whole path (both modes). */
  path: 'path',
  loss: 'loss',
  life: 'life',
  socket: 'socket',
  conntrack: 'conntrack',
  call: 'call',
  packet: 'packet',
  end: 'end',
  /** At the end, in a statistics block: what the run counted. */
  run: 'run',
} as const;

/** Changes when a reader of the old form would misread the new one. */
export const recordingFormat = 1;

export type PcapngMode = 'path' | 'hop';
export const pcapngModes = ['path', 'hop'] as const satisfies readonly PcapngMode[];
