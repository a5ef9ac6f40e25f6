/** Janus of Debian's package `janus`, with a configuration of its own: the VideoRoom and WebSockets on loopback alone. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocket } from 'ws';
import { ownChild, tempFolder } from '../../tests/rig/cleanup.ts';
import { freePorts } from '../../tests/rig/ports.ts';
import { eventually, within } from '../../tests/rig/wait.ts';

const PROGRAM = '/usr/bin/janus';
const LIBRARIES = '/usr/lib/x86_64-linux-gnu/janus';
const ANSWER_MS = 10_000;
const START_MS = 20_000;
const MEDIA_PORTS = 400;

export interface Janus {
  readonly pid: number;
  /** `Janus WebRTC Server 1.1.2`. */
  readonly version: string;
  /** Where its clients connect. */
  readonly url: string;
  /** Makes a room for video of one codec; → its id. */
  room(codec: string): Promise<number>;
  /** The SRTP profiles of all its transports, as its admin API shows them, each with how many have it. */
  suites(): Promise<Map<string, number>>;
  stop(): Promise<void>;
}

type Message = Record<string, unknown>;

/** One WebSocket to Janus; answers are found by their transaction. */
class Wire {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, (message: Message) => void>();

  static async open(url: string, protocol: string): Promise<Wire> {
    const socket = new WebSocket(url, protocol);
    await once(socket, 'open');
    return new Wire(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Message;
      this.#waiting.get(String(message.transaction))?.(message);
    });
  }

  /** @throws when Janus answers with an error */
  async ask(message: Message): Promise<Message> {
    const transaction = randomBytes(8).toString('hex');
    const answered = new Promise<Message>((resolve) => this.#waiting.set(transaction, resolve));
    this.#socket.send(JSON.stringify({ ...message, transaction }));
    const answer = await within(ANSWER_MS, `Janus to answer ${message.janus}`, answered);
    this.#waiting.delete(transaction);
    if (answer.janus === 'error') throw new Error(`Janus: ${JSON.stringify(answer)}`);
    return answer;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Names of what lies in one of Janus's folders, all but one, as its settings want what is left out. */
function allBut(folder: string, wanted: string): string {
  const libraries = readdirSync(path.join(LIBRARIES, folder)).map((name) => name.replace(/\.so[.\d]*$/, '.so'));
  return [...new Set(libraries)].filter((name) => name !== wanted).join(',');
}

function configure(ports: { clients: number; admin: number; media: number }, adminSecret: string): string {
  const folder = tempFolder('janus');
  const main = `general: {
  configs_folder = "${folder}"
  plugins_folder = "${LIBRARIES}/plugins"
  transports_folder = "${LIBRARIES}/transports"
  debug_level = 2
  admin_secret = "${adminSecret}"
  session_timeout = 0
}
media: {
  rtp_port_range = "${ports.media}-${ports.media + MEDIA_PORTS - 1}"
}
nat: {
  ice_enforce_list = "lo"
}
plugins: { disable = "${allBut('plugins', 'libjanus_videoroom.so')}" }
transports: { disable = "${allBut('transports', 'libjanus_websockets.so')}" }
`;
  const sockets = `general: {
  json = "compact"
  ws = true
  ws_port = ${ports.clients}
  ws_ip = "127.0.0.1"
}
admin: {
  admin_ws = true
  admin_ws_port = ${ports.admin}
  admin_ws_ip = "127.0.0.1"
}
`;
  writeFileSync(path.join(folder, 'janus.jcfg'), main);
  writeFileSync(path.join(folder, 'janus.transport.websockets.jcfg'), sockets);
  writeFileSync(path.join(folder, 'janus.plugin.videoroom.jcfg'), 'general: {\n}\n');
  return folder;
}

/** Starts a Janus and waits until it takes clients. */
export async function startJanus(): Promise<Janus> {
  const first = await freePorts(MEDIA_PORTS + 2);
  const ports = { clients: first, admin: first + 1, media: first + 2 };
  const adminSecret = randomBytes(12).toString('hex');
  const folder = configure(ports, adminSecret);
  const log = path.join(folder, 'log');
  const output = openSync(log, 'w');
  const child = spawn(PROGRAM, ['--disable-colors', '-F', folder], { stdio: ['ignore', output, output] });
  ownChild(child);
  const exited = once(child, 'exit');
  const url = `ws://127.0.0.1:${ports.clients}`;
  const connect = () => Wire.open(url, 'janus-protocol').catch(() => null);
  const wire = await eventually('Janus to start', connect, (opened) => opened !== null, START_MS).catch((error) => {
    throw new Error(`${error.message}:\n${readFileSync(log, 'utf8')}`);
  });
  if (!wire) throw new Error('Janus did not start');
  const admin = await Wire.open(`ws://127.0.0.1:${ports.admin}`, 'janus-admin-protocol');
  const info = await wire.ask({ janus: 'info' });
  const ask = (message: Message) => admin.ask({ ...message, admin_secret: adminSecret });
  return {
    pid: child.pid as number,
    version: `${info.name} ${info.version_string}`,
    url,
    room: (codec) => makeRoom(wire, codec),
    suites: () => suitesOf(ask),
    async stop() {
      wire.close();
      admin.close();
      child.kill('SIGTERM');
      await within(ANSWER_MS, 'Janus to end', exited);
    },
  };
}

async function makeRoom(wire: Wire, codec: string): Promise<number> {
  const { data: session } = (await wire.ask({ janus: 'create' })) as { data: { id: number } };
  const attach = { janus: 'attach', session_id: session.id, plugin: 'janus.plugin.videoroom' };
  const { data: handle } = (await wire.ask(attach)) as { data: { id: number } };
  // No limit of its own to the senders' bitrate, and no key frames but those that subscribers ask for, as on our side.
  const body = { request: 'create', publishers: 100, videocodec: codec, bitrate: 0, fir_freq: 0 };
  const made = await wire.ask({ janus: 'message', session_id: session.id, handle_id: handle.id, body });
  const { room } = (made as { plugindata: { data: { room: number } } }).plugindata.data;
  await wire.ask({ janus: 'destroy', session_id: session.id });
  return room;
}

async function suitesOf(ask: (message: Message) => Promise<Message>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const { sessions } = (await ask({ janus: 'list_sessions' })) as { sessions: number[] };
  for (const session_id of sessions) {
    const { handles } = (await ask({ janus: 'list_handles', session_id })) as { handles: number[] };
    for (const handle_id of handles) {
      const { info } = (await ask({ janus: 'handle_info', session_id, handle_id })) as { info: Message };
      const suite = /"srtp-profile":\s*"([^"]+)"/.exec(JSON.stringify(info))?.[1];
      if (suite) counts.set(suite, (counts.get(suite) ?? 0) + 1);
    }
  }
  return counts;
}
