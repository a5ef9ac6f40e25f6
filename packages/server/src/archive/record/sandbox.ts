/**
 * How a recorder is shut in. It decodes what strangers send, so it gets the two pipes and nothing else: with bubblewrap no
 * network, an empty environment and a read-only file system that holds the program alone. Where bubblewrap is missing or
 * may not make namespaces, a policy decides: no recorder, or one whose environment alone is empty, and the record says so.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { limits, PlatformError } from '@cloister/protocol';
import type { Journal, RecorderSandbox } from '../../core/index.ts';

export type Sandbox = RecorderSandbox;

/** `require`: no recorder runs outside of a sandbox. `prefer`: one does where there is none, and the record says so. */
export type SandboxPolicy = 'require' | 'prefer';

/** A program with its arguments. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

const packages = path.resolve(import.meta.dirname, '../../../..');
const root = path.dirname(packages);
const systemFolders = ['/usr', '/lib', '/lib64', '/lib32', '/bin'];
const complaintChars = 500;

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

/** Outermost, since what is inside may not raise it again. @returns the program as it was where there is no `prlimit` */
function withMemoryLimit(program: CommandLine): CommandLine {
  const file = prlimit();
  if (file === null) return program;
  const bytes = limits.archiveRecorderDataBytes;
  return { file, args: [`--data=${bytes}:${bytes}`, '--', program.file, ...program.args] };
}

/** Whether the kernel bounds the memory of recorders; otherwise they look after it themselves, after each picture. */
export function memoryIsLimited(): boolean {
  return prlimit() !== null;
}

function prlimit(): string | null {
  return ['/usr/bin/prlimit', '/bin/prlimit'].find((file) => existsSync(file)) ?? null;
}

export function shutIn(program: CommandLine, sandbox: Sandbox): CommandLine {
  return withMemoryLimit(sandbox === 'bubblewrap' ? bubblewrap(program) : program);
}

/** Runs a command to its end. @returns null where it succeeded, otherwise what it said */
export type Trial = (command: CommandLine) => Promise<string | null>;

const run: Trial = ({ file, args }) =>
  new Promise((resolve) => {
    execFile(file, [...args], { env: {}, timeout: limits.archiveSandboxTrialMs }, (error, _, complaint) => {
      resolve(error ? complaint || error.message : null);
    });
  });

/**
 * What this machine shuts recorders in with. That it can is remembered; that it could not is not, since a machine may have been
 * out of processes or memory just then: the next recorder asks again.
 */
export class SandboxTrial {
  readonly #policy: SandboxPolicy;
  readonly #journal: Journal;
  readonly #trial: Trial;
  #found = false;

  constructor(policy: SandboxPolicy, journal: Journal, trial: Trial = run) {
    this.#policy = policy;
    this.#journal = journal;
    this.#trial = trial;
  }

  get policy(): SandboxPolicy {
    return this.#policy;
  }

  /** What there is; the log says why there is none. */
  async here(): Promise<Sandbox> {
    if (this.#found) return 'bubblewrap';
    const complaint = await this.#trial(bubblewrap({ file: process.execPath, args: ['--version'] }));
    if (complaint === null) this.#found = true;
    else {
      const fields = { sandbox: 'none', policy: this.#policy, error: complaint.slice(0, complaintChars) };
      this.#journal.record('warn', 'a recorder cannot be shut in here', fields);
    }
    return complaint === null ? 'bubblewrap' : 'none';
  }

  /** What the next recorder runs in. @throws PlatformError `SandboxMissing` where there is none and the policy requires one */
  async forRecorder(): Promise<Sandbox> {
    const sandbox = await this.here();
    if (sandbox === 'none' && this.#policy === 'require') throw new PlatformError('SandboxMissing');
    return sandbox;
  }
}
