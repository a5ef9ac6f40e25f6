/** All that goes over the network of this namespace, loopback above all, as tcpdump sees it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ownChild, tempFolder } from './cleanup.ts';
import { Feed, within } from './wait.ts';

const FILE_HEAD = 24;
const PACKET_HEAD = 16;
const LITTLE_ENDIAN = 0xa1b2c3d4;
/** What comes before a packet captured on every interface at once (LINKTYPE_LINUX_SLL and _SLL2). */
const LINK_HEADS: Readonly<Record<number, number>> = { 113: 16, 276: 20 };
const START_MS = 10_000;

export interface CapturedPacket {
  /** To which it went; null where it has none. */
  readonly port: number | null;
  /** From the network layer on. */
  readonly bytes: Buffer;
}

export interface Capture {
  /** Ends it. @returns every packet. @throws when the kernel dropped some */
  stop(): Promise<CapturedPacket[]>;
  /** Ends it in any case. */
  close(): void;
}

/** Resolves once it listens. */
export async function captureTraffic(): Promise<Capture> {
  const file = path.join(tempFolder('capture'), 'all.pcap');
  // The buffer is for what comes while the machine is busy; root, since it would give up the right to its own file.
  const words = ['-i', 'any', '-n', '-U', '-s', '0', '-B', '65536', '-Z', 'root', '-w', file];
  const child = spawn('tcpdump', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  ownChild(child);
  const lines = new Feed<string>();
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  await lines.next('tcpdump to listen', (line) => line.includes('listening on'), { ms: START_MS });
  return {
    async stop() {
      const exited = once(child, 'close');
      child.kill('SIGINT');
      await within(START_MS, 'tcpdump to end', exited);
      const said = lines.items.join('\n');
      if (!/^0 packets dropped by kernel$/m.test(said)) throw new Error(`tcpdump did not see everything:\n${said}`);
      return packetsOf(readFileSync(file));
    },
    close: () => void child.kill('SIGKILL'),
  };
}

function packetsOf(file: Buffer): CapturedPacket[] {
  const linkHead = LINK_HEADS[file.readUInt32LE(20)];
  if (file.readUInt32LE(0) !== LITTLE_ENDIAN || !linkHead) throw new Error('not a file of tcpdump on this machine');
  const packets: CapturedPacket[] = [];
  for (let at = FILE_HEAD; at + PACKET_HEAD <= file.length; ) {
    const end = at + PACKET_HEAD + file.readUInt32LE(at + 8);
    const bytes = file.subarray(at + PACKET_HEAD + linkHead, end);
    packets.push({ port: portOf(bytes), bytes });
    at = end;
  }
  return packets;
}

function portOf(packet: Buffer): number | null {
  const first = packet[0] ?? 0;
  const version = first >> 4;
  if (version !== 4 && version !== 6) return null;
  const head = version === 4 ? (first & 15) * 4 : 40;
  return packet.length < head + 4 ? null : packet.readUInt16BE(head + 2);
}
