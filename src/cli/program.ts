/**
 * The command line. Only here are errors printed and is the process ended: 0 all went well, 1 it failed, 2 wrong usage.
 *
 * Each command's file holds its options only; what it needs to run is imported when it runs, so that `--help` is quick.
 */
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError } from 'commander';
import { SkbspanError } from '../errors.ts';
import { addCheckCommand } from './check.ts';
import { addConvertCommand } from './convert.ts';
import { addDemoCommand } from './demo.ts';
import { addExtcapCommand } from './extcap.ts';
import { addFunctionsCommand } from './functions.ts';
import { addTraceCommand } from './trace.ts';
import { readVersion } from './version.ts';

// Collect garbage before taking more memory: a tracer shares its host with what it watches. A conversion watches nothing,
// and is twice as quick without.
if (process.argv[2] !== 'convert') setFlagsFromString('--optimize-for-size');

const exitFailed = 1;
const exitUsage = 2;

/** Prints what went wrong: one sentence and advice for errors raised on purpose, the stack for others. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage; // Commander has printed it.
  if (error instanceof SkbspanError) {
    const advice = error.advice === undefined ? '' : `  ${error.advice}\n`;
    process.stderr.write(`skbspan: ${error.message}\n${advice}`);
    return error.code === 'SKBSPAN_USAGE' ? exitUsage : exitFailed;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`skbspan: unexpected error, please report it\n${text}\n`);
  return exitFailed;
}

/** What was written to a pipe leaves the process later: an exit before that would cut it off. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else
      stream.write('', () => {
        resolve();
      });
  });

async function main(): Promise<number> {
  let status = 0;
  const run = (command: Promise<number>): Promise<void> =>
    command.then((code) => {
      status = code;
    });

  const program = new Command('skbspan')
    .description('Shows where a packet went inside the Linux kernel.')
    .version(readVersion())
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'skbspan: '));
      },
    })
    .showHelpAfterError('  See: skbspan --help');
  addTraceCommand(program, run);
  addCheckCommand(program, run);
  addFunctionsCommand(program, run);
  addConvertCommand(program, run);
  addDemoCommand(program, run);
  addExtcapCommand(program, run);

  try {
    await program.parseAsync();
    return status;
  } catch (error) {
    return report(error);
  }
}

// A reader that went away (`| head`) is a reason to stop, not a failure; who writes there hears of it by its own listener.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error) => {
  process.exit(report(error));
});

const status = await main();
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(status);
