/** Codes of authenticators: TOTP (RFC 6238), six digits, 30 seconds, SHA-1, as every authenticator has it. */
import { Secret, TOTP } from 'otpauth';
import { toDataURL } from 'qrcode';

const secretBytes = 20;
const periodSeconds = 30;
const issuer = 'Cloister';
/** Clocks of telephones drift: the step before and the one after are taken too. */
const window = 1;

function totpOf(secret: string, label: string): TOTP {
  const parts = { issuer, label, algorithm: 'SHA1', digits: 6, period: periodSeconds };
  return new TOTP({ ...parts, secret: Secret.fromBase32(secret) });
}

/** 160 random bits in base32. */
export function totpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

/** What the authenticator reads (`otpauth://…`), as text and as a picture. */
export async function totpShown(secret: string, label: string): Promise<{ uri: string; picture: string }> {
  const uri = totpOf(secret, label).toString();
  return { uri, picture: await toDataURL(uri, { errorCorrectionLevel: 'M', margin: 2, scale: 6 }) };
}

/** The step that a code is of; null for a wrong one. It may be typed in groups. @param now milliseconds since 1970 */
export function totpStep(secret: string, code: string, now: number): number | null {
  const token = code.replace(/\s/g, '');
  if (!/^\d{6}$/.test(token)) return null;
  const delta = totpOf(secret, '').validate({ token, timestamp: now, window });
  return delta === null ? null : Math.floor(now / 1000 / periodSeconds) + delta;
}
