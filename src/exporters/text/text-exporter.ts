import type { Writable } from 'node:stream';

import type { Exporter } from '../../event/exporter.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import { createLineOutput, outputError } from './line-output.ts';
import { createPaint } from './paint.ts';
import { createTable, type TableOptions } from './table.ts';
import { treeLines } from './tree.ts';

export interface TextExporterOptions {
  /** Belongs to the caller: it is neither ended nor destroyed. */
  readonly output: Writable;
  /** `tree`: a tree per packet, an empty line after each. `table`: a line per call, below one header line. */
  readonly format: 'tree' | 'table';
  /** Columns of the table that are not always there. */
  readonly table?: TableOptions;
  /** ANSI colours; without them the output is plain text. */
  readonly color: boolean;
  /** Width that trees are drawn for, default unlimited; longer lines are left to the terminal. */
  readonly columns?: number;
}

/** Prints paths for people; docs/text.md explains what is printed. */
export function createTextExporter(options: TextExporterOptions): Exporter {
  const output = createLineOutput(options.output, 'the text output');
  const paint = createPaint(options.color);
  const columns = options.columns ?? Infinity;
  const table = createTable(options.table);
  let header = options.format === 'table' ? `${paint('head', table.header)}\n` : '';
  let stopped: Promise<void> | undefined;

  const format =
    options.format === 'table'
      ? (path: PacketPath) => `${table.lines(path).join('\n')}\n`
      : (path: PacketPath) => `${treeLines(path, paint, columns).join('\n')}\n\n`;

  return {
    name: 'text',
    local: true,
    start: () => Promise.resolve(),
    async export(paths) {
      const text = header + paths.map(format).join('');
      header = '';
      try {
        await output.write(text);
        return { status: 'success', lost: 0 };
      } catch (cause) {
        const error = cause instanceof Error ? cause : outputError('the text output', cause);
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
    },
    // Every export has waited for its own write: nothing is left to flush.
    shutdown: () => (stopped ??= Promise.resolve()),
  };
}
