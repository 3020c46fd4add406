/** The JSON form of what was asked to be told of a call besides (docs/json.md, `detail`). */
import type { CallDetail, MapAccess } from '../../event/call-detail.ts';
import {
  begin,
  createJsonBytes,
  end,
  put,
  putList,
  putNull,
  putText,
  type JsonBytes,
} from './bytes.ts';
import { members, type Piece } from './pieces.ts';
import { giveBack } from './slabs.ts';
import { textOf, type Json } from './text.ts';
import { DONE, putFlow, putLocation } from './values.ts';

const mapFields = (map: MapAccess | undefined): Json =>
  map === undefined
    ? null
    : {
        id: map.id,
        name: map.name,
        type: map.type,
        key_bytes: map.keyBytes,
        value_bytes: map.valueBytes,
        key: map.key,
        value: map.value ?? null,
      };

const of = members('caller', 'stack', 'tunnel', 'cb', 'metadata', 'skb', 'shared_info', 'map');

export function putDetail(out: JsonBytes, detail: CallDetail): void {
  const rest = (name: Piece, value: Json): void => {
    put(out, name);
    putText(out, textOf(value));
  };
  put(out, of.caller);
  putLocation(out, detail.caller);
  put(out, of.stack);
  if (detail.stack === undefined) putNull(out);
  else putList(out, detail.stack, putLocation);
  put(out, of.tunnel);
  putFlow(out, detail.tunnel);
  rest(of.cb, detail.controlBlock ?? null);
  // As text: values may pass 2^53.
  const metadata = detail.metadata?.map(({ expression, value }) => ({
    expression,
    value: value?.toString() ?? null,
  }));
  rest(of.metadata, metadata ?? null);
  rest(of.skb, detail.skb ?? null);
  rest(of.shared_info, detail.sharedInfo ?? null);
  rest(of.map, mapFields(detail.map));
  put(out, DONE);
}

const text = createJsonBytes();

export function detailText(detail: CallDetail): string {
  begin(text);
  putDetail(text, detail);
  const bytes = end(text);
  const made = bytes.toString();
  giveBack(bytes);
  return made;
}
