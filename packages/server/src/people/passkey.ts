/** Passkeys (WebAuthn Level 3): made and used with the user verified, found by the browser itself. */
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { Credentials } from '../core/index.ts';

const rpName = 'Cloister';
/** COSE: EdDSA, ES256, RS256, which every authenticator has one of. */
const supportedAlgorithmIDs = [-8, -7, -257];

export const passkeys: Credentials['passkeys'] = {
  async creation({ host }, { id, name, email, known }) {
    const options = await generateRegistrationOptions({
      rpName,
      rpID: host,
      // What a stolen device shows of its owner's account is this, so it is no address.
      userID: new TextEncoder().encode(id),
      userName: email,
      userDisplayName: name,
      attestationType: 'none',
      supportedAlgorithmIDs,
      excludeCredentials: known.map((each) => ({ id: each.id })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
    return { options, challenge: options.challenge };
  },

  async created({ origin, host }, challenge, answer) {
    const verified = await verifyRegistrationResponse({
      response: answer as RegistrationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: host,
      requireUserVerification: true,
      supportedAlgorithmIDs,
    }).catch(() => null);
    if (!verified?.verified) return null;
    const { id, publicKey, counter } = verified.registrationInfo.credential;
    return { id, publicKey: Buffer.from(publicKey).toString('base64url'), counter };
  },

  async request({ host }) {
    const options = await generateAuthenticationOptions({ rpID: host, userVerification: 'required' });
    return { options, challenge: options.challenge };
  },

  async answered({ origin, host }, challenge, answer, { id, publicKey, counter }) {
    const verified = await verifyAuthenticationResponse({
      response: answer as AuthenticationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: host,
      credential: { id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter },
      requireUserVerification: true,
    }).catch(() => null);
    return verified?.verified ? verified.authenticationInfo.newCounter : null;
  },
};
