/*
 * Writes src/event/layout.ts from the BTF of the built BPF object, so that no offset is ever written twice.
 *
 *   node scripts/generate-layout.ts           write it
 *   node scripts/generate-layout.ts --check   exit 1 if it is stale
 *   --object FILE, --output FILE              other files than build/skbspan.bpf.o and src/event/layout.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SkbspanError } from '../src/errors.ts';
import { type Btf, kinds, parseBtf } from '../src/kernel/btf.ts';
import { enumValues, findType, structFields } from '../src/kernel/btf-types.ts';
import { elfSection } from '../src/kernel/elf-section.ts';

const structs = [
  'event_header',
  'enter_event',
  'exit_event',
  'link_event',
  'free_event',
  'drop_event',
  'packet_event',
  'task_event',
  'device_event',
  'detail_event',
  'detail_map',
  'socket_event',
  'conntrack_tuple',
  'conntrack_event',
  'rule_event',
  'config',
  'control',
];

/** Of which only the size is needed. */
const sized = ['life'];

/** Enums and the prefix that their names bear in C. */
const enums: readonly (readonly [name: string, prefix: string])[] = [
  ['event_kind', 'EVENT_'],
  ['event_flag', 'FLAG_'],
  ['link_operation', 'LINK_'],
  ['free_how', 'FREE_'],
  ['probe_role', 'ROLE_'],
  ['tracepoint_id', 'TRACEPOINT_'],
  ['tracepoint_argument', 'ARGUMENT_'],
  ['detail', 'DETAIL_'],
  ['counter', 'COUNT_'],
  ['filter', 'FILTER_'],
  ['filter_window', 'WINDOW_'],
  ['glance', 'GLANCE_'],
  ['frame_watch', 'FRAMES_'],
];

const camelCase = (name: string): string =>
  name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Tracepoints keep the kernel's names. */
const keyOf = (name: string, prefix: string): string => {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return prefix === 'TRACEPOINT_' || prefix === 'ARGUMENT_' ? rest : camelCase(rest);
};

const missing = (what: string): SkbspanError =>
  new SkbspanError('SKBSPAN_BTF', `the object's BTF has no ${what}`, {
    advice: 'Something in bpf/ must use it, or the compiler leaves its type out.',
  });

const block = (name: string, entries: readonly (readonly [string, number])[]): string =>
  [
    `export const ${camelCase(name)} = {`,
    ...entries.map(([key, value]) => `  ${key}: ${value},`),
    '} as const;',
  ].join('\n');

const structBlock = (btf: Btf, name: string): string => {
  const id = findType(btf, name, kinds.struct);
  if (id === undefined) throw missing(`struct ${name}`);
  const fields = structFields(btf, id)
    .filter((field) => field.name !== 'header' && !field.name.startsWith('_pad'))
    .map((field) => [camelCase(field.name), field.offsetBits / 8] as const);
  return block(name, [['size', btf.sizeOrType(id)], ...fields]);
};

const sizeBlock = (btf: Btf, name: string): string => {
  const id = findType(btf, name, kinds.struct);
  if (id === undefined) throw missing(`struct ${name}`);
  return block(name, [['size', btf.sizeOrType(id)]]);
};

const enumBlock = (btf: Btf, name: string, prefix: string): string => {
  const values = enumValues(btf, name);
  if (values === undefined) throw missing(`enum ${name}`);
  return block(
    name,
    [...values].map(([key, value]) => [keyOf(key, prefix), Number(value)] as const),
  );
};

const header = `// Generated from build/skbspan.bpf.o by \`npm run generate\`; do not edit.

/** Byte offsets of each record's members; \`size\` is the whole struct. */`;

const generate = (object: Uint8Array): string => {
  const section = elfSection(object, '.BTF');
  if (section === undefined) throw missing('.BTF section (it was built without -g)');
  const btf = parseBtf(section, undefined, 'the object');
  const blocks = [
    ...structs.map((name) => structBlock(btf, name)),
    ...sized.map((name) => sizeBlock(btf, name)),
    ...enums.map(([name, prefix]) => enumBlock(btf, name, prefix)),
  ];
  return `${header}\n${blocks.join('\n\n')}\n`;
};

const main = (): number => {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      object: { type: 'string', default: 'build/skbspan.bpf.o' },
      output: { type: 'string', default: 'src/event/layout.ts' },
    },
  });
  const wanted = generate(readFileSync(values.object));
  if (!values.check) {
    writeFileSync(values.output, wanted);
    return 0;
  }
  if (readFileSync(values.output, 'utf8') === wanted) return 0;
  console.error(`${values.output} does not fit ${values.object}: run \`npm run generate\``);
  return 1;
};

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`generate-layout: ${error.message}`);
  if (error instanceof SkbspanError && error.advice !== undefined) console.error(error.advice);
  process.exitCode = 1;
}
