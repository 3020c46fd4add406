/** Values that come with their numbers, mostly in order. */
export interface Numbered<Value> {
  add(index: number, value: Value): void;
  /** The values by their numbers; undefined unless those are 0 to `count` - 1, each once. */
  inOrder(count: number): Value[] | undefined;
}

export function createNumbered<Value>(): Numbered<Value> {
  const values: Value[] = [];
  /** Of each value its number, from the moment on when one came out of order. */
  let numbers: number[] | undefined;
  return {
    add(index, value) {
      if (numbers === undefined && index !== values.length) numbers = [...values.keys()];
      numbers?.push(index);
      values.push(value);
    },
    inOrder(count) {
      if (values.length !== count) return undefined;
      if (numbers === undefined) return values;
      const pairs = numbers.map((number, at) => ({ number, at }));
      pairs.sort((left, right) => left.number - right.number);
      return pairs.every(({ number }, at) => number === at)
        ? pairs.flatMap(({ at }) => values.slice(at, at + 1))
        : undefined;
    },
  };
}
