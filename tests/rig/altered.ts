/**
 * A build of the platform that is not as it should be, for tests that must notice: source text is exchanged while it is
 * loaded, so that the product itself needs no switch for it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from './cleanup.ts';

/** One place of the source. */
export interface Alteration {
  /** The end of the file's path. */
  readonly file: string;
  /** Must be there, or the program does not start. */
  readonly find: string;
  readonly replace: string;
}

/**
 * Writes a module to be loaded before the program (`--import`).
 * @param alterations may use `preload`, the path of that module, and what `prelude` puts on `globalThis`
 * @returns its path
 */
export function alteredBuild(alterations: readonly Alteration[], prelude: string): string {
  const file = path.join(tempFolder('altered'), 'preload.mjs');
  writeFileSync(
    file,
    `import { registerHooks } from 'node:module';
const preload = ${JSON.stringify(file)};
globalThis.preload = preload;
const alterations = ${JSON.stringify(alterations)};
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const wanted = alterations.filter((each) => url.endsWith(each.file));
    if (wanted.length === 0) return loaded;
    let source = String(loaded.source);
    for (const { file, find, replace } of wanted) {
      if (!source.includes(find)) throw new Error(\`\${file} has no \${find}\`);
      source = source.replace(find, () => replace);
    }
    return { ...loaded, source };
  },
});
${prelude}`,
  );
  return file;
}
