/** Reads the text of one option; undefined if it was not given, or is wrong, which is then told in `problems`. */
export type OptionCheck = <T>(
  option: string,
  text: string | undefined,
  parse: (text: string) => T | undefined,
  want: string,
) => T | undefined;

/** A check that adds a line to `problems` for each mistake, so that all of them come in one message. */
export const createOptionCheck =
  (problems: string[]): OptionCheck =>
  (option, text, parse, want) => {
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`${option}: want ${want}, not '${text}'`);
    return value;
  };
