/** Whether an address is reached from here: by TCP, and by UDP where STUN answers (RFC 8489). */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { limits } from '@cloister/protocol';
import type { Clock } from '../lib/index.ts';

/** `refused`: the way is open and nothing listens there, or a firewall says so. `silent`: nothing came back in time. */
export type Reach = 'reached' | 'refused' | 'silent';

const waitMs = limits.addressProbeSeconds * 1000;

/** Opens a TCP connection, and closes it. */
export function reachTcp(address: string, port: number, clock: Clock): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (reach: Reach) => {
      cancel();
      socket.destroy();
      resolve(reach);
    };
    const cancel = clock.after(waitMs, () => end('silent'));
    socket.once('connect', () => end('reached'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}

const bindingRequest = 0x0001;
const bindingAnswers = [0x0101, 0x0111];
const magicCookie = 0x2112a442;

/** A binding request without any attribute, as a STUN server answers it. */
function bareRequest(): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(bindingRequest, 0);
  header.writeUInt32BE(magicCookie, 4);
  randomBytes(12).copy(header, 8);
  return header;
}

/** So often is a datagram sent within the wait: some are lost on the way. */
const tries = 5;

/** Sends a STUN request until it is answered. @param request one that the other end answers */
export function reachUdp(address: string, port: number, clock: Clock, request: Buffer = bareRequest()): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    let cancel = () => {};
    let left = tries;
    const end = (reach: Reach) => {
      cancel();
      socket.close();
      resolve(reach);
    };
    const send = () => {
      if (left === 0) return end('silent');
      left -= 1;
      socket.send(request);
      cancel = clock.after(waitMs / tries, send);
    };
    socket.on('message', (answer) => {
      const ours = answer.length >= 20 && answer.subarray(8, 20).equals(request.subarray(8, 20));
      if (ours && bindingAnswers.includes(answer.readUInt16BE(0))) end('reached');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
    socket.connect(port, address, send);
  });
}
