/** What was asked to be told of a call besides, as lines for people. */
import type { CallDetail, MapAccess, MemberValue, StructValue } from '../../event/call-detail.ts';
import { clean, codeLocation, flowText } from './format.ts';

/** `{len=84, protocol=8, cb=00..}`; as C would write it, on one line. */
function structText(value: StructValue): string {
  const member = (each: MemberValue): string => {
    if (typeof each === 'number') return String(each);
    if (typeof each === 'string') return clean(each);
    if (Array.isArray(each)) return `[${(each as readonly MemberValue[]).map(member).join(', ')}]`;
    return structText(each as StructValue);
  };
  const members = Object.entries(value).map(([name, each]) => `${clean(name)}=${member(each)}`);
  return `{${members.join(', ')}}`;
}

function mapText({ id, name, key, value }: MapAccess): string {
  const found = value === undefined ? '' : ` value ${clean(value)}`;
  return `map ${clean(name)}#${id} key ${clean(key)}${found}`;
}

/** One fact per line; the stack innermost first. */
export function detailLines(detail: CallDetail): string[] {
  const { caller, stack, tunnel, controlBlock, metadata, skb, sharedInfo, map } = detail;
  return [
    ...(caller === undefined ? [] : [`called by ${codeLocation(caller)}`]),
    ...(tunnel === undefined ? [] : [`tunnel ${flowText(tunnel)}`]),
    ...(metadata ?? []).map(({ expression, value }) => `${clean(expression)} = ${value ?? 'NULL'}`),
    ...(map === undefined ? [] : [mapText(map)]),
    ...(controlBlock === undefined
      ? []
      : [`cb ${controlBlock.map((word) => `0x${word.toString(16)}`).join(' ')}`]),
    ...(skb === undefined ? [] : [`skb ${structText(skb)}`]),
    ...(sharedInfo === undefined ? [] : [`shared info ${structText(sharedInfo)}`]),
    ...(stack ?? []).map((frame) => `at ${codeLocation(frame)}`),
  ];
}
