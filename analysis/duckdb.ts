/**
 * Asks analysis/queries of hop rows, by DuckDB in this process.
 *
 *   node analysis/duckdb.ts [--query NAME]... [--parquet FILE] HOPS...
 *
 * HOPS are files of JSON lines (kcat -C -t skbspan.hops -e > hops.jsonl) or Parquet files. `--parquet FILE` keeps the rows as
 * Parquet, a twentieth of the size, to be asked again. Prints a line of JSON per row of a result.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { hopColumns } from '../src/exporters/kafka/hop-columns.ts';

const folder = fileURLToPath(new URL('queries/', import.meta.url));
export const queryNames = readdirSync(folder)
  .map((name) => name.replace(/\.sql$/, ''))
  .sort();

export type Row = Readonly<Record<string, string | number | null>>;

/** A text in SQL. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The results of `names`, by name; `parquet`: a file to keep the rows in. */
export async function ask(
  files: readonly string[],
  names: readonly string[],
  parquet?: string,
): Promise<Map<string, Row[]>> {
  const database = await DuckDBInstance.create(':memory:');
  const connection = await database.connect();
  try {
    const list = `[${files.map(quoted).join(', ')}]`;
    const columns = [...hopColumns()].map(([name, type]) => `${name}: '${type}'`).join(', ');
    const source = files.every((file) => file.endsWith('.parquet'))
      ? `read_parquet(${list})`
      : `read_json(${list}, format = 'newline_delimited', columns = {${columns}})`;
    await connection.run(`CREATE VIEW hops AS SELECT * FROM ${source}`);
    if (parquet !== undefined) {
      await connection.run(`COPY hops TO ${quoted(parquet)} (FORMAT parquet, COMPRESSION zstd)`);
      await connection.run(
        `CREATE OR REPLACE VIEW hops AS SELECT * FROM read_parquet(${quoted(parquet)})`,
      );
    }
    const results = new Map<string, Row[]>();
    for (const name of names) {
      const reader = await connection.runAndReadAll(readFileSync(`${folder}${name}.sql`, 'utf8'));
      const rows = reader.getRowObjectsJson().map((row) => Object.entries(row));
      // Sums are wider than a double and come as text; all of ours fit.
      results.set(
        name,
        rows.map((row) => Object.fromEntries(row.map(([column, value]) => [column, plain(value)]))),
      );
    }
    return results;
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

function plain(value: unknown): string | number | null {
  if (value === null || typeof value === 'number') return value;
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { query: { type: 'string', multiple: true }, parquet: { type: 'string' } },
  });
  const names = values.query ?? queryNames;
  const unknown = names.filter((name) => !queryNames.includes(name));
  if (positionals.length === 0 || unknown.length > 0) {
    const why = unknown.length > 0 ? `there is no query ${unknown.join(', ')}` : 'want files';
    process.stderr.write(
      `analysis: ${why}\n  node analysis/duckdb.ts [--query ${queryNames.join('|')}] [--parquet FILE] HOPS...\n`,
    );
    return 2;
  }
  for (const [name, rows] of await ask(positionals, names, values.parquet)) {
    for (const row of rows) process.stdout.write(`${JSON.stringify({ query: name, ...row })}\n`);
  }
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
