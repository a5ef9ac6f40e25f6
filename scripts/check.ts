/** What must be clean before a commit: format, lint, types, unit tests, layers. `npm run check`; under a minute. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const bin = (name: string) => path.join(root, 'node_modules/.bin', name);

const sections: readonly { readonly title: string; readonly command: readonly string[] }[] = [
  { title: 'Format and lint', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { title: 'Types', command: [bin('tsc'), '-p', '.'] },
  {
    title: 'Unit tests, layers, tidiness, generated reference',
    command: [process.execPath, 'scripts/test.ts', '--unit'],
  },
];

const results = sections.map(({ title, command: [program = '', ...args] }) => {
  console.log(`\n── ${title}`);
  const started = Date.now();
  const { status } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return { title, clean: status === 0, seconds: (Date.now() - started) / 1000 };
});

console.log('');
for (const { title, clean, seconds } of results) {
  console.log(`${clean ? 'clean ' : 'FAILED'}  ${title} (${seconds.toFixed(1)} s)`);
}
process.exitCode = results.every((result) => result.clean) ? 0 : 1;
