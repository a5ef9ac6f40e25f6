/**
 * How a recorder is shut in. It decodes what strangers send, so it gets the two pipes and nothing else: with bubblewrap no
 * network, an empty environment and a read-only file system that holds the program alone. Where bubblewrap is missing or
 * may not make namespaces, the record says `none`, and only the environment is empty.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

export type Sandbox = 'bubblewrap' | 'none';

/** A program with its arguments. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

const packages = path.resolve(import.meta.dirname, '../../..');
const root = path.dirname(packages);
const systemFolders = ['/usr', '/lib', '/lib64', '/lib32', '/bin'];

function bubblewrap(program: CommandLine): CommandLine {
  const shown = [...systemFolders.filter((folder) => existsSync(folder)), packages, path.join(root, 'node_modules')];
  const inside = shown.some((folder) => program.file.startsWith(`${folder}/`));
  const readOnly = inside ? shown : [...shown, program.file];
  return {
    file: 'bwrap',
    args: [
      ...['--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--cap-drop', 'ALL'],
      ...readOnly.flatMap((folder) => ['--ro-bind', folder, folder]),
      ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/', '--chdir', '/'],
      ...['--', program.file, ...program.args],
    ],
  };
}

let found: Promise<Sandbox> | null = null;

/** What this machine has; asked once. @param node the program that is to run inside */
export function sandboxOf(node: string): Promise<Sandbox> {
  const trial = bubblewrap({ file: node, args: ['--version'] });
  found ??= new Promise((resolve) => {
    execFile(trial.file, [...trial.args], { env: {} }, (error) => resolve(error ? 'none' : 'bubblewrap'));
  });
  return found;
}

export function shutIn(program: CommandLine, sandbox: Sandbox): CommandLine {
  return sandbox === 'bubblewrap' ? bubblewrap(program) : program;
}
