import tseslint from 'typescript-eslint';

// The import rules of src/README.md. A folder may import from the folders listed for it, and from itself.
// "Vocabulary" (the files directly in src/, but main.ts) is open to all; it imports nothing local but vocabulary.
const folders = [
  'activation',
  'artifact',
  'backup',
  'cli',
  'config',
  'fetch',
  'host',
  'machine',
  'policy',
  'probe',
  'release',
  'source',
  'trust',
];
const mayImport = {
  policy: [],
  machine: ['activation', 'artifact', 'policy', 'source', 'trust'],
  fetch: [],
  probe: [],
  trust: [],
  config: [],
  source: [],
  artifact: [],
  backup: [],
  activation: [],
  host: [],
  release: ['artifact', 'trust'],
  cli: [
    'activation',
    'artifact',
    'backup',
    'config',
    'fetch',
    'machine',
    'policy',
    'probe',
    'release',
    'source',
    'trust',
  ],
};
const ports = '**/host/ports.ts';

function importRule(folder) {
  const forbidden = folders.filter((other) => other !== folder && !mayImport[folder].includes(other));
  const group = ['**/main.ts', ...forbidden.map((other) => `**/${other}/**`)];
  if (folder !== 'policy') group.push(`!${ports}`);
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group, message: 'See the import rules in src/README.md.' }] }],
    },
  };
}

// The part of the machine that must stay pure: no clock, no process, no effects, no settings, nothing local but vocabulary.
const pure = {
  files: ['src/policy/**/*.ts', 'src/machine/{state,transitions,recover}.ts'],
  rules: {
    'no-restricted-globals': ['error', 'process', 'Date', 'setTimeout', 'fetch'],
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          { regex: '^node:(?!crypto$)', message: 'Pure code takes facts as arguments.' },
          { regex: '^\\.\\./(?!\\w+\\.ts$)', message: 'Pure code imports vocabulary alone.' },
        ],
      },
    ],
  },
};

const vocabulary = {
  files: ['src/*.ts'],
  ignores: ['src/main.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: [{ regex: '^\\./\\w+/', message: 'Vocabulary imports vocabulary alone.' }] },
    ],
  },
};

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'node_modules', 'debian', 'test/fixtures'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 50, skipComments: true }],
    },
  },
  ...folders.map(importRule),
  vocabulary,
  pure,
  {
    files: ['test/**/*.ts', 'scripts/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', 'no-console': 'off' },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
);
