/**
 * How text on standard output is drawn: coloured as asked for, else by NO_COLOR, else if it is a terminal; `columns` is the
 * terminal's width.
 */
export function terminalText(color: boolean | undefined): { color: boolean; columns?: number } {
  const { isTTY, columns } = process.stdout;
  const wanted = isTTY && (process.env['NO_COLOR'] ?? '') === '';
  return { color: color ?? wanted, ...(isTTY ? { columns } : {}) };
}

/** `rows` with their columns under each other, two spaces between; the last column is left as it is. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
