import { readFileSync } from 'node:fs';
import { packageFile } from '../../package-files.ts';

/** By the types that SQL engines and Parquet give them. */
export type ColumnType = 'VARCHAR' | 'BIGINT' | 'BOOLEAN';

const types: Readonly<Record<string, ColumnType | undefined>> = {
  integer: 'BIGINT',
  number: 'BIGINT',
  boolean: 'BOOLEAN',
};

/** The columns of a hop row in the order of their schema, which is where they are defined. */
export function hopColumns(): ReadonlyMap<string, ColumnType> {
  const schema = JSON.parse(
    readFileSync(packageFile('config/schema/skbspan.hop-1.schema.json'), 'utf8'),
  ) as { readonly properties: Readonly<Record<string, { readonly type?: string | string[] }>> };
  return new Map(
    Object.entries(schema.properties).map(([name, { type = 'string' }]) => {
      const [first = 'string'] = typeof type === 'string' ? [type] : type;
      return [name, types[first] ?? 'VARCHAR'];
    }),
  );
}
