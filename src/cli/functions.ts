import type { Command } from 'commander';
import {
  backendNames,
  isBackend,
  leftoverProblems,
  refuse,
  regexProblem,
} from './trace-options.ts';

interface FunctionsFlags {
  readonly backend?: string;
}

async function listFunctions(
  { backend }: FunctionsFlags,
  words: readonly string[],
): Promise<number> {
  const [regex, ...leftovers] = words;
  const problems = leftoverProblems(leftovers);
  const badRegex = regex === undefined ? undefined : regexProblem(regex);
  if (regex?.startsWith('-')) problems.unshift(...leftoverProblems([regex]));
  else if (badRegex !== undefined) problems.unshift(badRegex);
  if (backend !== undefined && !isBackend(backend)) {
    problems.push(`--backend: want ${backendNames.join(', ')}, not '${backend}'`);
  }
  refuse(problems, 'functions');

  const { planProbes } = await import('../collector/probe-plan.ts');
  const { alignColumns } = await import('./terminal.ts');
  const plan = await planProbes({
    backend: backend !== undefined && isBackend(backend) ? backend : undefined,
    functions: regex,
  });
  const rows = plan.probes.map(({ func, module, skbArg }) => [
    func,
    module ?? '',
    skbArg === 0 ? '' : `skb is argument ${skbArg}`,
  ]);
  process.stdout.write(alignColumns(rows));
  process.stderr.write(`${plan.probes.length} probes, ${plan.refused.length} refused\n`);
  for (const { name, reason } of plan.refused) process.stderr.write(`  ${name}: ${reason}\n`);
  return 0;
}

/** `skbspan functions [regex]`: what would be attached, and what would be refused and why. */
export function addFunctionsCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('functions')
    .description('list what would be attached')
    .argument('[regex]', 'only functions whose whole name matches')
    .option('--backend <name>', `how to attach: ${backendNames.join(', ')} (default: the best)`)
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_regex: string | undefined, flags: FunctionsFlags, command: Command) =>
      run(listFunctions(flags, command.args)),
    );
}
