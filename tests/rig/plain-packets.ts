/**
 * Packets of a Chromium as they are before SRTP encrypts them and after it decrypted them. libwebrtc writes them into the
 * browser's log where a field trial of it says so (`WebRTC-Debugging-RtpDump`).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from './cleanup.ts';

/** What makes a Chromium write its packets down. */
export interface PacketLog {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** RTP and RTCP so far, of all its pages. @throws for a line that is not whole */
  packets(): PlainPacket[];
}

export interface PlainPacket {
  /** Sent, or received. */
  readonly way: 'out' | 'in';
  readonly bytes: Buffer;
}

const mark = ' # RTP_DUMP';

export function packetLog(): PacketLog {
  const file = path.join(tempFolder('packets'), 'chromium.log');
  return {
    args: ['--enable-logging', '--vmodule=srtp_session=2', '--force-fieldtrials=WebRTC-Debugging-RtpDump/Enabled/'],
    env: { CHROME_LOG_FILE: file },
    packets() {
      const lines = readFileSync(file, 'latin1').split('\n');
      return lines.filter((line) => line.endsWith(mark)).map(packetOf);
    },
  };
}

/** As text2pcap of Wireshark reads it: `O 12:34:56.789 0000 90 6f …`. */
function packetOf(line: string): PlainPacket {
  const [, way, hex] = /^([IO]) [\d:.]+ 0+ ((?:[0-9a-f]{2} )*[0-9a-f]{2}) # RTP_DUMP$/.exec(line) ?? [];
  if (!hex) throw new Error(`no packet: ${line.slice(0, 80)}`);
  return { way: way === 'O' ? 'out' : 'in', bytes: Buffer.from(hex.replaceAll(' ', ''), 'hex') };
}
