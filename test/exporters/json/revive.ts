import { readDetail } from '../../../src/sources/read-detail.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';

type Value = string | number | boolean | null | Value[] | { [key: string]: Value };

/** Fields that are bigint in a PacketPath, and text in JSON. */
const bigints = new Set(['startTimeNs', 'skb', 'cgroup', 'address', 'returnValue', 'socket']);

const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

/** Reads `detail`, whose members of structs keep the kernel's names. */
const reviveDetail = (value: Value): unknown =>
  value === null ? {} : { detail: readDetail(value as Record<string, unknown>) };

function revive(name: string, value: Value): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((each) => revive('', each));
  if (typeof value === 'object') {
    // A flow has a detail, too, which is text.
    const isCall = 'timing' in value;
    const fields = Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'detail' || !isCall)
        .map(([key, each]) => [camelCase(key), revive(camelCase(key), each)]),
    );
    return isCall ? { ...fields, ...(reviveDetail(value['detail'] ?? null) as object) } : fields;
  }
  if (typeof value === 'string' && bigints.has(name)) return BigInt(value);
  if (typeof value === 'string' && name === 'bytes') {
    return Uint8Array.from(Buffer.from(value, 'base64'));
  }
  return value;
}

/** A PacketPath from its JSON line, by nothing but the naming rules of docs/json.md. */
export function revivePath(line: string): PacketPath {
  const fields = JSON.parse(line) as Record<string, Value>;
  // Those that a PacketPath does not have.
  delete fields['schema'];
  delete fields['time'];
  // A loss has only the fields of its cause; in JSON the others are null.
  fields['losses'] = (fields['losses'] as Record<string, Value>[]).map((loss) =>
    Object.fromEntries(Object.entries(loss).filter(([, value]) => value !== null)),
  );
  return revive('', fields) as PacketPath;
}
