import tseslint from 'typescript-eslint';

/** The one-way data flow of ARCHITECTURE.md as import rules: room -> rooms it may not import. */
const borders = {
  event: ['cli', 'config', 'kernel', 'ffi', 'filter', 'collector', 'pipeline', 'exporters'],
  ffi: ['cli', 'config', 'event', 'kernel', 'filter', 'collector', 'pipeline', 'exporters'],
  kernel: ['cli', 'config', 'collector', 'pipeline', 'exporters', 'filter'],
  filter: ['cli', 'config', 'kernel', 'collector', 'pipeline', 'exporters'],
  collector: ['cli', 'config', 'pipeline', 'exporters'],
  pipeline: ['cli', 'config', 'kernel', 'ffi', 'filter', 'collector', 'exporters', 'sources'],
  sources: ['cli', 'config', 'kernel', 'ffi', 'filter', 'collector', 'pipeline'],
  exporters: ['cli', 'config', 'kernel', 'ffi', 'filter', 'collector', 'pipeline', 'sources'],
  config: ['cli', 'kernel', 'ffi', 'filter', 'collector', 'pipeline', 'exporters'],
};

const border = (room, forbidden) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
            message: `${room}/ may not import from there: data flows one way (ARCHITECTURE.md).`,
          },
          ...(room === 'ffi'
            ? []
            : [{ regex: '^koffi$', message: 'Only src/ffi/ touches koffi.' }]),
        ],
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'build/', '.cache/', 'node_modules/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // `import { type X } from` still loads the module at run time when types are only stripped.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Numbers, bigints and booleans read well in messages.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `while (true)` is how a drain loop is written.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit', message: 'Only src/cli/ exits.' },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^koffi$', message: 'Only src/ffi/ touches koffi.' }] },
      ],
    },
  },
  ...Object.entries(borders).map(([room, forbidden]) => border(room, forbidden)),
  {
    files: [
      'src/cli/**/*.ts',
      'scripts/**/*.ts',
      'test/**/*.ts',
      'bench/**/*.ts',
      'analysis/**/*.ts',
    ],
    rules: { 'no-console': 'off', 'no-restricted-properties': 'off' },
  },
  {
    // node:test returns promises that the runner itself awaits.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
);
