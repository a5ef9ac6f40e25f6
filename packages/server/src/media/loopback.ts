/**
 * Two WebRTC transports of mediasoup connected to each other. Both are ICE-lite and wait to be called, so two sockets on
 * loopback call them and carry everything but STUN from one to the other: a genuine DTLS handshake, and SRTP after it.
 *
 * Datagrams are lost on loopback too when the machine is busy, and mediasoup's DTLS then stands still: its timer is not set
 * again when it fires a little early (`DtlsTransport::OnTimer`). Any datagram sets it again, so the last ones are repeated
 * while nothing else comes; DTLS knows a repetition.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { DtlsParameters, IceCandidate, IceParameters } from 'mediasoup/types';
import { datagramKind, nominate } from './stun.ts';

/** What both a transport and the offer of one to a client have. */
export interface Endpoint {
  readonly iceParameters: IceParameters;
  readonly iceCandidates: readonly IceCandidate[];
  readonly dtlsParameters: DtlsParameters;
}

/** Carries datagrams between two endpoints until it is closed. */
export interface Loopback {
  close(): void;
}

const callEveryMs = 100;
const repeatEveryMs = 300;
const repeatsMax = 30;

interface End {
  readonly socket: Socket;
  readonly host: string;
  readonly port: number;
}

async function openEnd({ iceCandidates }: Endpoint): Promise<End> {
  const candidate = iceCandidates.find((each) => each.protocol === 'udp');
  if (!candidate) throw new Error('the endpoint has no UDP candidate');
  const socket = createSocket(isIPv6(candidate.address) ? 'udp6' : 'udp4');
  socket.bind(0, isIPv6(candidate.address) ? '::1' : '127.0.0.1');
  await once(socket, 'listening');
  return { socket, host: candidate.address, port: candidate.port };
}

/** May hold a datagram back or lose it instead of sending it. */
export type Shape = (bytes: number, towards: 'one' | 'other', send: () => void) => void;

/**
 * Opens the way between two endpoints; each of them must be connected with the DTLS parameters of the other.
 * @param shape for tests: how the way behaves.
 */
export async function openLoopback(
  one: Endpoint,
  other: Endpoint,
  shape: Shape = (_bytes, _towards, send) => send(),
): Promise<Loopback> {
  const ends = [await openEnd(one), await openEnd(other)] as const;
  let open = true;
  const calls = ([one, other] as const).map(({ iceParameters }, index) => call(ends[index] as End, iceParameters));
  const quiet = new Quiet();
  for (const [index, to, towards] of [[0, ends[1], 'other'] as const, [1, ends[0], 'one'] as const]) {
    ends[index].socket.on('message', (datagram) => {
      const kind = datagramKind(datagram);
      if (kind === 'stun') return calls[index]?.();
      const send = () => open && to.socket.send(datagram, to.port, to.host);
      if (kind === 'dtls') quiet.passed(index, send);
      else quiet.end();
      shape(datagram.length, towards, send);
    });
    ends[index].socket.on('error', () => undefined);
  }
  return {
    close() {
      open = false;
      quiet.end();
      for (const answered of calls) answered();
      for (const { socket } of ends) socket.close();
    },
  };
}

/** Repeats the last DTLS datagram of each direction while none has passed for a while. */
class Quiet {
  readonly #last = new Map<number, () => void>();
  #repeats = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  passed(direction: number, again: () => void): void {
    this.#last.set(direction, again);
    this.#wait();
  }

  /** The handshake is over. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#ended || this.#repeats >= repeatsMax) return;
    this.#timer = setTimeout(() => {
      this.#repeats += 1;
      for (const again of this.#last.values()) again();
      this.#wait();
    }, repeatEveryMs);
  }
}

/** Calls an ICE-lite end again and again. @returns how to stop: it has answered. */
function call({ socket, host, port }: End, iceParameters: IceParameters): () => void {
  const nominateIt = (): void => socket.send(nominate(iceParameters, 'loopback'), port, host);
  nominateIt();
  const timer = setInterval(nominateIt, callEveryMs);
  return () => clearInterval(timer);
}
