/**
 * What a controlling end needs of STUN (RFC 8489) and ICE (RFC 8445) towards an ICE-lite one: a binding request that
 * nominates, and telling STUN from DTLS and SRTP (RFC 7983).
 */
import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const bindingRequest = 0x0001;
const magicCookie = 0x2112a442;
const attribute = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  priority: 0x0024,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlling: 0x802a,
} as const;
const headerBytes = 20;
const integrityBytes = 24;
const fingerprintBytes = 8;

function attributeOf(type: number, value: Buffer): Buffer {
  const padding = (4 - (value.length % 4)) % 4;
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(padding)]);
}

/** A binding request that nominates its pair, for the end with these ICE parameters. */
export function nominate(remote: { usernameFragment: string; password: string }, localFragment: string): Buffer {
  const priority = Buffer.alloc(4);
  priority.writeUInt32BE(0x6e0001ff);
  const attributes = Buffer.concat([
    attributeOf(attribute.username, Buffer.from(`${remote.usernameFragment}:${localFragment}`)),
    attributeOf(attribute.priority, priority),
    attributeOf(attribute.iceControlling, randomBytes(8)),
    attributeOf(attribute.useCandidate, Buffer.alloc(0)),
  ]);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(bindingRequest, 0);
  header.writeUInt32BE(magicCookie, 4);
  randomBytes(12).copy(header, 8);
  // Each of the two checks covers what stands before it, under a length that already counts the check itself.
  header.writeUInt16BE(attributes.length + integrityBytes, 2);
  const covered = Buffer.concat([header, attributes]);
  const hmac = createHmac('sha1', remote.password).update(covered).digest();
  const signed = Buffer.concat([covered, attributeOf(attribute.messageIntegrity, hmac)]);
  signed.writeUInt16BE(attributes.length + integrityBytes + fingerprintBytes, 2);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(signed) ^ 0x5354554e) >>> 0);
  return Buffer.concat([signed, attributeOf(attribute.fingerprint, fingerprint)]);
}

/** What a datagram is, by its first byte. */
export function datagramKind(datagram: Uint8Array): 'stun' | 'dtls' | 'other' {
  const first = datagram[0] ?? 255;
  if (first < 4) return 'stun';
  return first >= 20 && first < 64 ? 'dtls' : 'other';
}
