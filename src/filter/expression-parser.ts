/**
 * The language of --filter-skb-expr and --output-skb-metadata: a C expression over the fields of an skb, as pwru takes it.
 *
 *   skb->len > 1000 && (skb->mark & 0xff) == 0x10 || skb->dev->ifindex == 2
 *
 *   expression  the operators of C without assignment, ?: and casts, with C's precedence
 *   operand     number (decimal, 0x, octal), ( expression ), or a path: skb, then ->member, .member and [number]
 */
import { UsageError } from '../errors.ts';

export type Step =
  | { readonly kind: 'arrow' | 'dot'; readonly name: string; readonly at: number }
  | { readonly kind: 'index'; readonly index: number; readonly at: number };

export type Expression =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'path'; readonly steps: readonly Step[]; readonly at: number }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    };

/** Weakest first; those of one row have the same strength and go from left to right. */
const strengths = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
] as const;

interface Token {
  readonly text: string;
  readonly at: number;
}

const tokenPattern =
  /\s*(?:(0[xX][0-9a-fA-F]+|\d\w*|[A-Za-z_]\w*|->|\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()[\].])|(\S))/gy;

/** A mistake at a place of the expression. */
export const mistakeAt = (option: string, text: string, at: number, what: string): UsageError =>
  new UsageError(`${option}: ${what}\n    ${text}\n    ${' '.repeat(at)}^`);

function tokenize(option: string, text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, token, unknown] = match;
    const at = pattern.lastIndex - (token ?? unknown ?? '').length;
    if (token === undefined)
      throw mistakeAt(option, text, at, `'${unknown ?? ''}' has no meaning here`);
    tokens.push({ text: token, at });
  }
  return tokens;
}

/** Throws UsageError that points at the mistake; `option` is where the expression was given. */
export function parseExpression(text: string, option = '--filter-skb-expr'): Expression {
  const tokens = tokenize(option, text);
  let next = 0;
  const peek = (): string => tokens[next]?.text ?? '';
  const place = (): number => tokens[next]?.at ?? text.length;
  const fail = (wanted: string): UsageError =>
    mistakeAt(
      option,
      text,
      place(),
      `want ${wanted}, not ${peek() === '' ? 'the end' : `'${peek()}'`}`,
    );
  const expect = (token: string): void => {
    if (peek() !== token) throw fail(`'${token}'`);
    next++;
  };

  const integer = (): bigint => {
    const token = peek();
    const isOctal = /^0\d/.test(token);
    if (!/^(?:0[xX][0-9a-fA-F]+|\d+)$/.test(token) || (isOctal && !/^[0-7]+$/.test(token))) {
      throw fail('a number');
    }
    next++;
    const value = BigInt(isOctal ? `0o${token.slice(1)}` : token);
    if (value >= 1n << 64n)
      throw mistakeAt(option, text, place(), 'the number does not fit 64 bits');
    return value;
  };

  const path = (): Expression => {
    const at = place();
    if (peek() !== 'skb') throw fail('a number or a field of skb');
    next++;
    const steps: Step[] = [];
    for (;;) {
      const operator = peek();
      if (operator === '[') {
        next++;
        steps.push({ kind: 'index', index: Number(integer()), at: place() });
        expect(']');
      } else if (operator === '->' || operator === '.') {
        next++;
        const name = peek();
        if (!/^[A-Za-z_]/.test(name)) throw fail('the name of a member');
        steps.push({ kind: operator === '.' ? 'dot' : 'arrow', name, at: place() });
        next++;
      } else {
        return { kind: 'path', steps, at };
      }
    }
  };

  const unary = (): Expression => {
    const operator = peek();
    if (['!', '~', '-', '+'].includes(operator)) {
      next++;
      const operand = unary();
      return operator === '+' ? operand : { kind: 'unary', operator, operand };
    }
    if (operator === '(') {
      next++;
      const inner = binary(0);
      expect(')');
      return inner;
    }
    if (/^\d/.test(operator)) return { kind: 'number', value: integer() };
    return path();
  };

  const binary = (strength: number): Expression => {
    const operators: readonly string[] | undefined = strengths[strength];
    if (operators === undefined) return unary();
    let left = binary(strength + 1);
    while (operators.includes(peek())) {
      const operator = peek();
      next++;
      left = { kind: 'binary', operator, left, right: binary(strength + 1) };
    }
    return left;
  };

  const whole = binary(0);
  if (next < tokens.length) throw fail('an operator');
  return whole;
}
