/**
 * SRTP protection profiles by their IANA names (registry "DTLS-SRTP Protection Profiles", RFC 5764 and RFC 7714), and
 * how strong each is. A name that is not in the table is `unknown`, which counts as weak.
 */
export const suites = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
] as const;

/** A suite's IANA name without the `SRTP_` prefix, or `unknown`. */
export type Suite = (typeof suites)[number] | 'unknown';

// RFC 5764 spells the profiles SRTP_AES128_CM_HMAC_SHA1_80, RFC 4568 AES_CM_128_HMAC_SHA1_80; browsers use both.
const spellings: Readonly<Record<string, Suite>> = {
  AES128_CM_HMAC_SHA1_80: 'AES_CM_128_HMAC_SHA1_80',
  AES128_CM_HMAC_SHA1_32: 'AES_CM_128_HMAC_SHA1_32',
  AES128_CM_SHA1_80: 'AES_CM_128_HMAC_SHA1_80',
  AES128_CM_SHA1_32: 'AES_CM_128_HMAC_SHA1_32',
};

/** A suite as a browser or the worker spells it → its IANA name; anything else is `unknown`. */
export function suiteOf(spelling: string): Suite {
  const bare = spelling.trim().replace(/^SRTP_/, '');
  return suites.find((suite) => suite === bare) ?? spellings[bare] ?? 'unknown';
}

/** Bits of the AES key of a suite; 0 for `unknown`. */
export function keyBits(suite: Suite): 256 | 128 | 0 {
  if (suite === 'AEAD_AES_256_GCM') return 256;
  return suite === 'unknown' ? 0 : 128;
}
