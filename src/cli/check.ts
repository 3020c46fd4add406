import type { Command } from 'commander';
import { leftoverProblems, refuse } from './trace-options.ts';

/** `skbspan check`: what this kernel offers, which backend would be taken and what is missing for a better one. */
export function addCheckCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('check')
    .description('show which backends this kernel has and what is missing')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_flags: unknown, command: Command) => {
      refuse(leftoverProblems(command.args), 'check');
      const { runCheck } = await import('./run-check.ts');
      await run(runCheck());
    });
}
