/**
 * One sealed value: `v1.<keyId>.<base64url(nonce | cipher text | tag)>`, AES-256-GCM (NIST SP 800-38D) with a fresh
 * random nonce of 96 bits. Project and context are additional data, so a value opens nowhere but where it belongs.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Sealed } from '../core/index.ts';

const nonceBytes = 12;
const tagBytes = 16;
const form = /^v1\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]+)$/;

// A project id is digits and never holds the separator; the platform's own values have an empty one.
function boundTo(projectId: string | null, context: string): Buffer {
  return Buffer.from(`${projectId ?? ''}|${context}`);
}

/** Seals `clear` with one key. The nonce comes from the system's generator and never through an injected one. */
export function sealValue(
  key: { id: string; secret: KeyObject },
  projectId: string | null,
  context: string,
  clear: string,
): Sealed {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key.secret, nonce);
  cipher.setAAD(boundTo(projectId, context));
  const bytes = Buffer.concat([nonce, cipher.update(clear, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `v1.${key.id}.${bytes.toString('base64url')}` as Sealed;
}

/** The id of the key that a value was sealed with; null when it is no sealed value. */
export function keyIdOf(sealed: string): string | null {
  return form.exec(sealed)?.[1] ?? null;
}

/** The clear text, or null when the value, its context or its key is another one. */
export function openValue(secret: KeyObject, projectId: string | null, context: string, sealed: string): string | null {
  const text = form.exec(sealed)?.[2] ?? '';
  const bytes = Buffer.from(text, 'base64url');
  // Stray bits at the end of base64 would let two spellings open as one value.
  if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== text) return null;
  const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(boundTo(projectId, context));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    const clear = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    return clear.toString('utf8');
  } catch {
    return null;
  }
}
