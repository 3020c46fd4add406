/** What a piece of text is, for its colour. */
export type Tone = 'plain' | 'head' | 'faint' | 'drop' | 'loss' | 'life' | 'headers';

const codes: Readonly<Record<Tone, string>> = {
  plain: '',
  head: '1',
  faint: '2',
  drop: '1;31',
  loss: '33',
  life: '36',
  headers: '35',
};

export type Paint = (tone: Tone, text: string) => string;

export const createPaint = (colour: boolean): Paint =>
  colour
    ? (tone, text) =>
        codes[tone] === '' || text === '' ? text : `\u001b[${codes[tone]}m${text}\u001b[0m`
    : (_tone, text) => text;
