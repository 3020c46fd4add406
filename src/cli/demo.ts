import type { Command } from 'commander';
import { leftoverProblems, refuse } from './trace-options.ts';

interface DemoFlags {
  readonly color?: boolean;
}

/** `skbspan demo`: makes its own network and traffic, shows the packets' paths and leaves nothing behind. */
export function addDemoCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('demo')
    .description('make some packets in two network namespaces and show their paths')
    .option('--no-color', 'no colours (also: the variable NO_COLOR)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (flags: DemoFlags, command: Command) => {
      refuse(leftoverProblems(command.args), 'demo');
      const { runDemo } = await import('./run-demo.ts');
      await run(runDemo(flags.color === false ? false : undefined));
    });
}
