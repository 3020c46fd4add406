/**
 * Hop rows (docs/kafka.md) as a Parquet file: a row per call, for DuckDB, Spark, pandas and whatever else reads Parquet. Rows are
 * gathered by column and written in groups, so that memory is bounded however long the file gets. Zstandard makes it a
 * twentieth of the JSON lines.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { SkbspanError } from '../../errors.ts';
import type { Exporter } from '../../event/exporter.ts';
import { hopColumns, type ColumnType } from '../kafka/hop-columns.ts';
import { hopRows, type HopRow } from '../kafka/hop-records.ts';
import { readOrigin } from '../kafka/this-origin.ts';
import { outputError } from '../text/line-output.ts';

const GROUP_ROWS = 50_000;

type Value = string | bigint | boolean | null;

const parquetTypes = { VARCHAR: 'STRING', BIGINT: 'INT64', BOOLEAN: 'BOOLEAN' } as const;

interface Column {
  readonly name: string;
  readonly type: (typeof parquetTypes)[ColumnType];
  data: Value[];
}

const toValue = (value: HopRow[string] | undefined): Value =>
  typeof value === 'number' ? BigInt(value) : (value ?? null);

/** Writes to a file what a group of rows took. */
function createFileWriter(file: FileHandle): ByteWriter {
  const writer = new ByteWriter();
  const flush = async (): Promise<void> => {
    await file.writeFile(writer.getBytes());
    writer.index = 0;
  };
  return Object.assign(writer, { flush, finish: flush });
}

/**
 * Writes one Parquet file, made or overwritten. `start` throws SKBSPAN_OUTPUT if it cannot be opened; when writing fails so
 * does every export from then on. The file can be read only after `shutdown`, which throws SKBSPAN_OUTPUT if its end could
 * not be written.
 */
export function createParquetExporter(path: string): Exporter {
  const columns = [...hopColumns()].map(([name, type]): Column => ({
    name,
    type: parquetTypes[type],
    data: [],
  }));
  let file: FileHandle | undefined;
  let writer: ParquetWriter | undefined;
  let failure: SkbspanError | undefined;
  let stopped: Promise<void> | undefined;

  async function writing(work: () => void | Promise<void>): Promise<void> {
    if (failure !== undefined) throw failure;
    try {
      await work();
    } catch (cause) {
      failure = outputError(path, cause);
      throw failure;
    }
  }

  async function endGroup(): Promise<void> {
    await writer?.write({ columnData: columns, rowGroupSize: GROUP_ROWS });
    for (const column of columns) column.data = [];
  }

  function add(row: HopRow): void {
    for (const column of columns) column.data.push(toValue(row[column.name]));
  }

  async function stop(): Promise<void> {
    if (file === undefined) return;
    try {
      if (failure !== undefined) return;
      await writing(async () => {
        await endGroup();
        await writer?.finish();
      });
    } finally {
      await file.close();
    }
  }

  return {
    name: 'parquet',
    local: true,
    async start() {
      try {
        file = await open(path, 'w');
      } catch (cause) {
        throw outputError(path, cause);
      }
      writer = new ParquetWriter({
        writer: createFileWriter(file),
        schema: schemaFromColumnData({ columnData: columns }),
        codec: 'ZSTD',
        compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
        createdBy: 'skbspan',
      });
    },
    async export(paths) {
      const here = readOrigin();
      try {
        for (const each of paths) for (const row of hopRows(each, each.origin ?? here)) add(row);
        if ((columns[0]?.data.length ?? 0) >= GROUP_ROWS) await writing(endGroup);
        if (failure !== undefined) throw failure;
        return { status: 'success', lost: 0 };
      } catch (cause) {
        const error = cause instanceof SkbspanError ? cause : outputError(path, cause);
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
    },
    shutdown: () => (stopped ??= stop()),
  };
}
