/**
 * The one file that reaches inside mediasoup (pinned at 3.19.22). A worker talks to Node over a `Channel`; mediasoup emits
 * notifications in `setImmediate` and hands debug lines to its own logger. To pair a worker's line about the SRTP suite
 * with the transport it belongs to, both must be seen in the order in which they were written, so a worker is started
 * with a subclass of that `Channel` that looks at each message first. Where the inside has changed, the worker runs
 * without a tap, no suite is ever seen, and the self-check says so.
 */
import type { SpawnOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as mediasoup from 'mediasoup';
import type { Worker, WorkerSettings } from 'mediasoup/types';

/** What is seen of a worker's channel, in the order in which the worker wrote it. */
export interface ChannelTap {
  /** A line of the worker's log; the first letter of `line` is not part of it. */
  log(level: 'debug' | 'warn' | 'error', line: string): void;
  /** A transport's DTLS is up. */
  dtlsConnected(transportId: string): void;
  /** Any other notification. */
  otherNotification(): void;
}

interface Notification {
  handlerId(): string | null;
  event(): number;
  body(target: DtlsNotification): DtlsNotification | null;
}
interface DtlsNotification {
  dtlsState(): number;
}
interface Log {
  data(): string | null;
}
interface Channel {
  processNotification(notification: Notification): void;
  processLog(pid: number, log: Log): void;
}
type ChannelClass = new (...settings: unknown[]) => Channel;

interface Inside {
  readonly channels: { Channel: ChannelClass };
  readonly dtlsStateChange: number;
  readonly connected: number;
  readonly DtlsNotification: new () => DtlsNotification;
}

/** mediasoup's modules, or null where they are not what this file was written for. */
function loadInside(): Inside | null {
  const require = createRequire(import.meta.url);
  const folder = path.dirname(require.resolve('mediasoup'));
  try {
    const channels = require(path.join(folder, 'Channel.js'));
    const { Event } = require(path.join(folder, 'fbs', 'notification.js'));
    const { DtlsState, DtlsStateChangeNotification } = require(path.join(folder, 'fbs', 'web-rtc-transport.js'));
    const known =
      typeof channels.Channel?.prototype.processNotification === 'function' &&
      typeof channels.Channel.prototype.processLog === 'function' &&
      typeof Event?.WEBRTCTRANSPORT_DTLS_STATE_CHANGE === 'number' &&
      typeof DtlsState?.CONNECTED === 'number' &&
      typeof DtlsStateChangeNotification === 'function';
    if (!known) return null;
    return {
      channels,
      dtlsStateChange: Event.WEBRTCTRANSPORT_DTLS_STATE_CHANGE,
      connected: DtlsState.CONNECTED,
      DtlsNotification: DtlsStateChangeNotification,
    };
  } catch {
    return null;
  }
}

const inside = loadInside();
const levels: Readonly<Record<string, 'debug' | 'warn' | 'error'>> = { D: 'debug', W: 'warn', E: 'error' };

function tapped({ channels, dtlsStateChange, connected, DtlsNotification }: Inside, tap: ChannelTap): ChannelClass {
  return class TappedChannel extends channels.Channel {
    override processNotification(notification: Notification): void {
      const dtls = notification.event() === dtlsStateChange ? notification.body(new DtlsNotification()) : null;
      if (dtls?.dtlsState() === connected) tap.dtlsConnected(notification.handlerId() ?? '');
      else tap.otherNotification();
      super.processNotification(notification);
    }

    // mediasoup's own would format every debug line and drop it afterwards.
    override processLog(_pid: number, log: Log): void {
      const line = log.data() ?? '';
      const level = levels[line.charAt(0)];
      if (level) tap.log(level, line.slice(1));
    }
  };
}

interface Processes {
  spawn(file: string, args: readonly string[], options: SpawnOptions): unknown;
}
const processes: Processes = createRequire(import.meta.url)('node:child_process');

/**
 * Starts a worker whose channel is tapped. It gets a process group of its own, since Ctrl-C in a terminal reaches every
 * process of the server's group, and media has to last until the sessions on it have ended in order.
 * @throws Error when the program does not start.
 */
export function startWorker(settings: WorkerSettings, tap: ChannelTap): Promise<Worker> {
  const { spawn } = processes;
  const plain = inside?.channels.Channel;
  // The worker spawns its process and makes its channel before `createWorker` returns, so both are exchanged for just
  // that long.
  processes.spawn = (file, args, options) => spawn(file, args, { ...options, detached: true });
  if (inside) inside.channels.Channel = tapped(inside, tap);
  try {
    return mediasoup.createWorker(settings);
  } finally {
    processes.spawn = spawn;
    if (inside && plain) inside.channels.Channel = plain;
  }
}

/** The version of mediasoup and of its worker. */
export const mediasoupVersion: string = mediasoup.version;

/**
 * Listens to what dying workers write to their standard error, such as a failed assertion. mediasoup keeps one listener
 * for the whole process, so the last one called wins.
 */
export function onWorkerStderr(listen: (line: string) => void): void {
  mediasoup.setLogEventListeners({
    onerror: (namespace, log) => {
      const line = /^\(stderr\) (.+)$/.exec(log)?.[1];
      if (line !== undefined && namespace.endsWith(':Worker')) listen(line);
    },
  });
}
