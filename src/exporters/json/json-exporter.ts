import { open, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

import type { Exporter } from '../../event/exporter.ts';
import { createLineOutput, outputError, type LineOutput } from '../text/line-output.ts';
import { jsonLine, pathLines, summaryRecord } from './records.ts';

export interface JsonExporterOptions {
  /** Path of a file, which is made or overwritten; or a stream, which belongs to the caller and is not ended. */
  readonly output: string | Writable;
}

/**
 * Writes one JSON line per packet path and, at shutdown, the summary of the run as the last line; docs/json.md describes
 * the fields. `start` throws SKBSPAN_OUTPUT if the file cannot be opened; when writing fails, so does every export from
 * then on, and no summary follows. `shutdown` throws SKBSPAN_OUTPUT if the end could not be written.
 */
export function createJsonExporter({ output }: JsonExporterOptions): Exporter {
  const name = typeof output === 'string' ? output : 'the JSON output';
  let file: Writable | undefined;
  let lines: LineOutput | undefined;
  let failed = false;
  let stopped: Promise<void> | undefined;

  async function write(text: string | Uint8Array): Promise<void> {
    if (lines === undefined) throw outputError(name, new Error('it is not open'));
    try {
      await lines.write(text);
    } catch (error) {
      failed = true;
      throw error;
    }
  }

  async function stop(summary: string): Promise<void> {
    if (lines !== undefined && !failed) await write(summary);
    if (file === undefined || failed) return;
    file.end();
    try {
      await finished(file);
    } catch (cause) {
      throw outputError(name, cause);
    }
  }

  return {
    name: 'json',
    local: true,
    async start() {
      if (typeof output !== 'string') {
        lines = createLineOutput(output, name);
        return;
      }
      let handle: FileHandle;
      try {
        handle = await open(output, 'w');
      } catch (cause) {
        throw outputError(name, cause);
      }
      file = handle.createWriteStream();
      lines = createLineOutput(file, name);
    },
    async export(paths) {
      try {
        await write(pathLines(paths));
        return { status: 'success', lost: 0 };
      } catch (cause) {
        const error = cause instanceof Error ? cause : outputError(name, cause);
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
    },
    shutdown(_deadlineMs, statistics) {
      // The pipeline stops waiting at the deadline; a write that hangs cannot be called off.
      stopped ??= stop(jsonLine(summaryRecord(statistics)));
      return stopped;
    },
  };
}
