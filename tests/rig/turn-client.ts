/**
 * A TURN client over UDP, as small as the tests need it (RFC 8656 on RFC 8489): it allocates, asks for permissions,
 * refreshes, and sends to a peer. Every request is asked once; loopback loses nothing.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import path from 'node:path';
import { limits } from '@cloister/protocol';
import ipaddr from 'ipaddr.js';
import { within } from './wait.ts';

const magicCookie = 0x2112a442;
const headerBytes = 20;
const answerMs = 5000;
const method = { allocate: 0x003, refresh: 0x004, createPermission: 0x008, send: 0x016, data: 0x017 } as const;
const classBits = { request: 0x000, indication: 0x010, success: 0x100, failure: 0x110 } as const;
const attribute = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  requestedTransport: 0x0019,
} as const;
const family = { four: 1, six: 2 } as const;

interface Peer {
  readonly address: string;
  readonly port: number;
}

/** An address is written with the id of its message. */
type Attribute = readonly [type: number, value: Buffer | Peer];

/** What the server answered: 200, or the code of its refusal (RFC 8489, 14.8). */
export interface TurnAnswer {
  readonly code: number;
  readonly attributes: ReadonlyMap<number, Buffer>;
  /** Of the message. */
  readonly id: Buffer;
}

export interface TurnCredential {
  readonly username: string;
  readonly credential: string;
}

/** A credential by the secret that the coturn of a platform has. */
export function credentialOf(dataDir: string, name: string): TurnCredential {
  const config = readFileSync(path.join(dataDir, 'turn/turnserver.conf'), 'utf8');
  const secret = /^static-auth-secret=(.+)$/m.exec(config)?.[1] ?? '';
  const username = `${Math.floor(Date.now() / 1000) + limits.turnCredentialSeconds}:${name}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}

/** One client on one socket of its own. */
export class TurnClient {
  readonly #socket: Socket;
  readonly #server: { readonly address: string; readonly port: number };
  readonly #waiting = new Map<string, (answer: TurnAnswer) => void>();
  #realm: Buffer = Buffer.alloc(0);
  #nonce: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, server: { address: string; port: number }) {
    this.#socket = socket;
    this.#server = server;
    socket.on('message', (message) => this.#hear(message));
  }

  static async open(address: string, port: number): Promise<TurnClient> {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    await once(socket.bind(0, isIPv6(address) ? '::1' : '127.0.0.1'), 'listening');
    return new TurnClient(socket, { address, port });
  }

  /** Asks for a relay address, of IPv6 where that is wanted (RFC 8656, 18.6); `relayed` where it is given. */
  async allocate(
    by: TurnCredential,
    { six = false } = {},
  ): Promise<{ code: number; relayed: { address: string; port: number } | null }> {
    const answer = await this.#ask(method.allocate, by, [
      [attribute.requestedTransport, Buffer.from([17, 0, 0, 0])],
      ...(six ? [[attribute.requestedAddressFamily, Buffer.from([family.six, 0, 0, 0])] as const] : []),
    ]);
    const relayed = answer.attributes.get(attribute.xorRelayedAddress);
    return { code: answer.code, relayed: relayed ? readAddress(relayed, answer.id) : null };
  }

  /** Asks that a peer's packets may come and go. */
  async permit(by: TurnCredential, peer: string): Promise<number> {
    return (await this.#ask(method.createPermission, by, [[attribute.xorPeerAddress, { address: peer, port: 0 }]]))
      .code;
  }

  /** Keeps the allocation, or with 0 seconds gives it back. */
  async refresh(by: TurnCredential, seconds: number): Promise<number> {
    const lifetime = Buffer.alloc(4);
    lifetime.writeUInt32BE(seconds);
    return (await this.#ask(method.refresh, by, [[attribute.lifetime, lifetime]])).code;
  }

  /** Sends bytes to a peer through the relay, without an answer. */
  send(peer: { address: string; port: number }, data: Buffer): void {
    this.#socket.send(indicationTo(peer, data), this.#server.port, this.#server.address);
  }

  /** Sends a message as it is; resolves when the kernel has it. */
  pass(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(message, this.#server.port, this.#server.address, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  close(): void {
    this.#socket.close();
  }

  /** Asks, learns realm and nonce from the refusal where it does not know them or the nonce is stale, and asks again. */
  async #ask(asked: number, by: TurnCredential, attributes: readonly Attribute[]): Promise<TurnAnswer> {
    const known = this.#nonce.length > 0;
    const first = await this.#request(asked, known ? by : null, attributes);
    if (first.code !== 438 && (known || first.code !== 401)) return first;
    this.#realm = first.attributes.get(attribute.realm) ?? this.#realm;
    this.#nonce = first.attributes.get(attribute.nonce) ?? this.#nonce;
    return this.#request(asked, by, attributes);
  }

  #request(asked: number, by: TurnCredential | null, attributes: readonly Attribute[]): Promise<TurnAnswer> {
    const id = randomBytes(12);
    const all: Attribute[] = [...attributes];
    if (by) {
      all.push([attribute.username, Buffer.from(by.username)]);
      all.push([attribute.realm, this.#realm], [attribute.nonce, this.#nonce]);
    }
    const key = by && createHash('md5').update(`${by.username}:${this.#realm}:${by.credential}`).digest();
    const answered = new Promise<TurnAnswer>((resolve) => this.#waiting.set(id.toString('hex'), resolve));
    this.#socket.send(encode(asked, id, all, key), this.#server.port, this.#server.address);
    return within(answerMs, `an answer of the TURN server to ${asked}`, answered);
  }

  #hear(message: Buffer): void {
    const type = message.readUInt16BE(0) & 0x110;
    const attributes = new Map<number, Buffer>();
    for (let at = headerBytes; at + 4 <= message.length; ) {
      const bytes = message.readUInt16BE(at + 2);
      attributes.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + bytes));
      at += 4 + Math.ceil(bytes / 4) * 4;
    }
    const id = message.subarray(8, headerBytes);
    const error = attributes.get(attribute.errorCode);
    const code = type === classBits.failure && error ? (error[2] ?? 0) * 100 + (error[3] ?? 0) : 200;
    this.#waiting.get(id.toString('hex'))?.({ code, attributes, id });
    this.#waiting.delete(id.toString('hex'));
  }
}

/** The message by which a relay is to send bytes to a peer. */
export function indicationTo(peer: { address: string; port: number }, data: Buffer): Buffer {
  return encode(method.send | classBits.indication, randomBytes(12), [
    [attribute.xorPeerAddress, peer],
    [attribute.data, data],
  ]);
}

/** A message; with a key, its integrity covers all that stands before it under a length that counts it (RFC 8489, 14.5). */
function encode(type: number, id: Buffer, attributes: readonly Attribute[], key: Buffer | null = null): Buffer {
  const body = Buffer.concat(attributes.map((each) => encodeAttribute(each, id)));
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length + (key ? 24 : 0), 2);
  header.writeUInt32BE(magicCookie, 4);
  id.copy(header, 8);
  const covered = Buffer.concat([header, body]);
  if (!key) return covered;
  const integrity = createHmac('sha1', key).update(covered).digest();
  return Buffer.concat([covered, encodeAttribute([attribute.messageIntegrity, integrity], id)]);
}

function encodeAttribute([type, given]: Attribute, id: Buffer): Buffer {
  const value = Buffer.isBuffer(given) ? given : writeAddress(given, id);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

/** What an address is XORed with (RFC 8489, 14.2): the cookie, and for IPv6 the id of the message after it. */
function maskOf(id: Buffer): Buffer {
  const mask = Buffer.alloc(4);
  mask.writeUInt32BE(magicCookie);
  return Buffer.concat([mask, id]);
}

function writeAddress({ address, port }: Peer, id: Buffer): Buffer {
  const bytes = Buffer.from(ipaddr.parse(address).toByteArray());
  const head = Buffer.alloc(4);
  head[1] = bytes.length === 4 ? family.four : family.six;
  head.writeUInt16BE(port ^ (magicCookie >>> 16), 2);
  return Buffer.concat([head, xor(bytes, maskOf(id))]);
}

function readAddress(value: Buffer, id: Buffer): Peer {
  const address = ipaddr.fromByteArray([...xor(value.subarray(4), maskOf(id))]).toString();
  return { address, port: value.readUInt16BE(2) ^ (magicCookie >>> 16) };
}

function xor(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index] ?? 0)));
}
