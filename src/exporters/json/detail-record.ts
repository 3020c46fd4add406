/** The JSON form of what was asked to be told of a call besides (docs/json.md, `detail`). */
import type { CallDetail, MapAccess } from '../../event/call-detail.ts';
import type { Fields, Json } from './text.ts';
import { flowFields, locationFields } from './values.ts';

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

export const detailFields = (detail: CallDetail): Fields => ({
  caller: locationFields(detail.caller),
  stack: detail.stack?.map(locationFields) ?? null,
  tunnel: flowFields(detail.tunnel),
  cb: detail.controlBlock ?? null,
  // As text: values may pass 2^53.
  metadata:
    detail.metadata?.map(({ expression, value }) => ({
      expression,
      value: value?.toString() ?? null,
    })) ?? null,
  skb: detail.skb ?? null,
  shared_info: detail.sharedInfo ?? null,
  map: mapFields(detail.map),
});
