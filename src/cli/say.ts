/** A line for the person at the terminal, beside the output. */
export function say(message: string): void {
  process.stderr.write(`skbspan: ${message}\n`);
}
