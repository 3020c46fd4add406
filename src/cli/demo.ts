import type { Command } from 'commander';
import { leftoverProblems, refuse } from './trace-options.ts';

interface DemoFlags {
  readonly color?: boolean;
  readonly pcapng: string;
}

/** `skbspan demo`: makes its own network and traffic, shows the packets' paths and leaves nothing behind. */
export function addDemoCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('demo')
    .description('make some packets in two network namespaces and show their paths')
    .option('--pcapng <file>', 'where to write the packets for Wireshark', 'skbspan-demo.pcapng')
    .option('--no-color', 'no colours (also: the variable NO_COLOR)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (flags: DemoFlags, command: Command) => {
      const problems = leftoverProblems(command.args);
      if (flags.pcapng === '' || flags.pcapng === '-')
        problems.push('--pcapng: want the name of a file');
      refuse(problems, 'demo');
      const { runDemo } = await import('./run-demo.ts');
      await run(
        runDemo({ pcapng: flags.pcapng, color: flags.color === false ? false : undefined }),
      );
    });
}
