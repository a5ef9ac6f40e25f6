/** The architecture's table of imports, checked against every import there is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  EVERY_DOOR,
  NOT_IN_CORE,
  OUTSIDE_FILES,
  OWNERS,
  PACKAGE_LAYERS,
  ROOMS,
  ROOT_FILES,
  SERVER_LAYERS,
  WITHOUT_PROTOCOL,
} from './tidy/layers.ts';
import { type Import, importsOf, root, type SourceFile, sources } from './tidy/source.ts';

const shipped = sources.filter((file) => file.package !== undefined && !file.isTest);

/** One sentence for each import that `wrong` complains about. */
function complaints(
  files: readonly SourceFile[],
  wrong: (file: SourceFile, used: Import) => string | undefined,
): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((used) => {
      const why = wrong(file, used);
      return why ? [`${file.path}:${used.line} imports ${used.name}: ${why}`] : [];
    }),
  );
}

function none(found: string[]): void {
  if (found.length > 0) assert.fail(`\n${found.join('\n')}`);
}

/** `@scope/name/deep` → `@scope/name`. */
function packageName(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

test('each package imports only the packages of the table, and by name', () => {
  none(
    complaints(shipped, (file, used) => {
      const allowed = PACKAGE_LAYERS[file.package as string];
      if (!allowed) return `packages/${file.package} is not in the table`;
      const own = /^@cloister\/([^/]+)/.exec(used.name)?.[1];
      if (own && !allowed.includes(own)) return `${file.package} may import ${allowed.join(', ') || 'nothing'}`;
      if (!used.target || used.target.startsWith(`packages/${file.package}/`)) return undefined;
      return OUTSIDE_FILES[file.path]?.includes(used.target) ? undefined : 'it lies outside the package';
    }),
  );
});

test('each package imports only what its package.json names', () => {
  const declared = new Map<string, Set<string>>();
  for (const name of Object.keys(PACKAGE_LAYERS)) {
    const manifest = JSON.parse(readFileSync(path.join(root, 'packages', name, 'package.json'), 'utf8'));
    declared.set(name, new Set(Object.keys(manifest.dependencies ?? {})));
  }
  none(
    complaints(shipped, (file, used) => {
      if (used.target || /^(node:|@cloister\/)/.test(used.name)) return undefined;
      const known = declared.get(file.package as string)?.has(packageName(used.name));
      return known ? undefined : `packages/${file.package}/package.json does not name it`;
    }),
  );
});

test('rooms of a folder of the server import in one direction', () => {
  none(
    complaints(
      sources.filter((file) => file.package === 'server' && !file.isTest),
      (file, used) => {
        const rooms = ROOMS[file.folder as string];
        const inside = (place: string) => path.relative(`packages/server/src/${file.folder}`, place).split('/');
        const parts = inside(file.path);
        const target = used.target && inside(used.target);
        if (!rooms || parts.length === 1 || !target || target[0] === '..') return undefined;
        const [own, other] = [rooms.indexOf(parts[0] as string), rooms.indexOf(target[0] as string)];
        if (own < 0) return `${file.folder}/${parts[0]} is not in the table`;
        return other >= 0 && other <= own ? undefined : `${parts[0]} may import ${rooms.slice(0, own).join(', ')}`;
      },
    ),
  );
});

/** The folders that a file of the server may reach, or why it may not be there. */
function reach(file: SourceFile): readonly string[] | 'every door' | undefined {
  const folder = file.folder as string;
  if (EVERY_DOOR.includes(folder)) return 'every door';
  return folder.endsWith('.ts') ? ROOT_FILES[folder] : SERVER_LAYERS[folder];
}

test('each folder of the server imports only the folders of the table, through their doors', () => {
  const server = shipped.filter((file) => file.package === 'server');
  none(
    complaints(server, (file, used) => {
      const allowed = reach(file);
      if (!allowed) return `${file.folder} is not in the table`;
      if (WITHOUT_PROTOCOL.includes(file.folder as string) && used.name.startsWith('@cloister/')) return 'it may not';
      const [folder, ...inner] = used.target?.replace('packages/server/src/', '').split('/') ?? [];
      if (!used.target?.startsWith('packages/server/src/') || folder === file.folder) return undefined;
      if (inner.length === 0) return rootFileRule(file, folder as string);
      if (allowed !== 'every door' && !allowed.includes(folder as string)) {
        return `${file.folder} may import ${allowed.join(', ') || 'nothing'}`;
      }
      return inner.join('/') === 'index.ts' ? undefined : `reach ${folder} through its index.ts`;
    }),
  );
});

/** Only the settings among themselves, main.ts and the command line know the settings. */
function rootFileRule(file: SourceFile, target: string): string | undefined {
  if (target === 'main.ts' && file.folder !== 'cli') return 'nobody imports main.ts';
  return reach(file) === 'every door' || (file.folder as string).endsWith('.ts')
    ? undefined
    : 'take what you need as an argument';
}

test('a foreign world is known to one folder only', () => {
  const server = shipped.filter((file) => file.package === 'server');
  none(
    complaints(server, (file, used) => {
      const owner = OWNERS[packageName(used.name)];
      return owner && file.folder !== owner ? `only ${owner} knows it` : undefined;
    }),
  );
});

test('core has no sockets, no disk and no process', () => {
  const core = shipped.filter((file) => file.folder === 'core');
  none(
    complaints(core, (_, used) => (NOT_IN_CORE.test(used.name) ? 'declare a port and let main.ts fill it' : undefined)),
  );
});
