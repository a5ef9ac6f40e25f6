/**
 * What a program and all that it starts do to files and sockets, seen by strace: each opening, each byte written. Bytes that
 * were written and removed again are there too, which no look at the disk would show.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from './cleanup.ts';
import { eventually } from './wait.ts';

const CALLS = [
  ...['execve', 'open', 'openat', 'openat2', 'creat', 'memfd_create', 'mmap'],
  ...['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto', 'sendmsg', 'sendmmsg'],
  ...['copy_file_range', 'sendfile', 'splice', 'tee', 'vmsplice'],
];
/** Calls that move bytes past whoever looks at what is written. */
const UNSEEN = ['copy_file_range', 'sendfile', 'splice', 'tee', 'vmsplice'];
const ALL_BYTES = 16_000_000;
const END_MS = 30_000;

export type Program = 'server' | 'media worker' | 'recorder' | 'other';

/** Where bytes went: a file, something that is connected to the network, or a nameless pipe or pair of sockets. */
export interface Target {
  readonly kind: 'file' | 'network' | 'pipe';
  readonly name: string;
}

export interface Write {
  /** In order within one thread only. */
  readonly thread: number;
  readonly program: Program;
  readonly fd: number;
  readonly target: Target;
  readonly bytes: Buffer;
}

export interface Trace {
  readonly programs: ReadonlySet<Program>;
  readonly writes: readonly Write[];
  /** Files that were opened so that they could be written. */
  readonly opened: ReadonlySet<string>;
  /** Calls that could have moved bytes unseen, as strace printed them. */
  readonly unseen: readonly string[];
}

export interface Tracing {
  /** Words to start the program with. It stays the child that is started. */
  readonly under: readonly string[];
  /** What was seen, once the program and all that it started have ended. @param main the program's process id */
  read(main: number): Promise<Trace>;
}

/** Begins; nothing is traced until a program is started with `under`. */
export function traceProgram(): Tracing {
  const folder = tempFolder('trace');
  const prefix = path.join(folder, 'thread');
  const words = ['strace', '-DDD', '-f', '-ff', '-qq', '-yy', '-xx', '--seccomp-bpf', '-e', 'signal=none'];
  return {
    under: [...words, '-s', String(ALL_BYTES), '-e', `trace=${CALLS.join(',')}`, '-o', prefix, '--'],
    async read(main) {
      await eventually(
        'every traced program to end',
        async () => readdirSync('/proc').filter((name) => isTraced(name, folder)),
        (left) => left.length === 0,
        END_MS,
      );
      return parse(folder, main);
    },
  };
}

/** Whether a process is the strace of this folder: it ends with the last that it traces. */
function isTraced(name: string, folder: string): boolean {
  if (!/^\d+$/.test(name)) return false;
  try {
    const words = readFileSync(`/proc/${name}/cmdline`, 'utf8');
    return words.startsWith('strace\0') && words.includes(folder);
  } catch {
    return false;
  }
}

function parse(folder: string, main: number): Trace {
  const writes: Write[] = [];
  const opened = new Set<string>();
  const unseen: string[] = [];
  const programs = new Set<Program>();
  for (const name of readdirSync(folder)) {
    const thread = Number(name.split('.').at(-1));
    let program: Program = thread === main ? 'server' : 'other';
    for (const line of readFileSync(path.join(folder, name), 'latin1').split('\n')) {
      const [, call = '', rest = ''] = /^(\w+)\((.*)$/s.exec(line) ?? [];
      if (call === 'execve') program = programOf(rest, program);
      programs.add(program);
      if (UNSEEN.includes(call) || (call === 'mmap' && isSharedFile(readable(rest)))) unseen.push(readable(line));
      else if (/^(open|openat|openat2|creat|memfd_create)$/.test(call)) note(opened, call, rest);
      else if (/^(p?writev?(64|2)?|send(to|msg|mmsg))$/.test(call)) {
        const write = writeOf(rest);
        if (write) writes.push({ thread, program, ...write });
      }
    }
  }
  return { programs, writes, opened, unseen };
}

function programOf(rest: string, before: Program): Program {
  const words = readable(rest);
  if (words.includes('recorder-process')) return 'recorder';
  if (words.includes('mediasoup-worker')) return 'media worker';
  return before;
}

/**
 * Whether a file can be written through memory. The rings of io_uring are none: libuv has them for its list of what it waits
 * for, and what a test sees written is to be compared with what lies there.
 */
function isSharedFile(rest: string): boolean {
  const [, protection = '', flags = '', target = ''] = /^[^,]+, [^,]+, ([^,]+), ([^,]+), (.+)$/.exec(rest) ?? [];
  return protection.includes('PROT_WRITE') && flags.includes('MAP_SHARED') && /^\d+<(?!anon_inode)/.test(target);
}

function note(opened: Set<string>, call: string, rest: string): void {
  const name = /= \d+<(.*)>$/.exec(rest)?.[1];
  if (name && (call === 'creat' || call === 'memfd_create' || /O_WRONLY|O_RDWR|O_CREAT/.test(rest))) {
    opened.add(fileName(readable(name)));
  }
}

/** strace adds what kind of file it is, and that it was removed. */
function fileName(decoration: string): string {
  return decoration.replace(/<char [\d:]+>$/, '').replace(/\(deleted\)$/, '');
}

function writeOf(rest: string): Pick<Write, 'fd' | 'target' | 'bytes'> | null {
  const [, fd = '', after = ''] = /^(\d+)(.*)$/s.exec(rest) ?? [];
  const end = decorationEnd(after);
  if (fd === '' || end === 0) return null;
  const target = targetOf(readable(after.slice(1, end - 1)));
  const bytes = Buffer.concat(stringsOf(after.slice(end)));
  if (target.kind === 'network') return { fd: Number(fd), target, bytes };
  // What did not fit was not written: it comes again.
  const written = Number(/= (\d+)$/.exec(rest)?.[1] ?? 0);
  return written === 0 ? null : { fd: Number(fd), target, bytes: bytes.subarray(0, written) };
}

/** Where `<…>` after a file descriptor ends: names of sockets have such brackets within. */
function decorationEnd(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '<') depth += 1;
    if (text[at] === '>' && text[at - 1] !== '-') depth -= 1;
    if (depth === 0) return at === 0 ? 0 : at + 1;
  }
  return 0;
}

function targetOf(name: string): Target {
  if (/^(TCP|UDP|TCPv6|UDPv6|RAW|NETLINK|PACKET)\b/.test(name)) return { kind: 'network', name };
  // A socket of the file system has its path after the numbers.
  if (/^UNIX/.test(name))
    return name.includes('"') || name.includes('/') ? { kind: 'file', name } : { kind: 'pipe', name };
  if (/^(pipe|socket|anon_inode):/.test(name)) return { kind: 'pipe', name };
  return { kind: 'file', name: fileName(name) };
}

function stringsOf(text: string): Buffer[] {
  const found: Buffer[] = [];
  for (const [, hex = ''] of text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)) {
    found.push(Buffer.from(hex.replaceAll('\\x', ''), 'hex'));
  }
  return found;
}

function readable(text: string): string {
  return text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
