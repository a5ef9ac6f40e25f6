/** `cloister security verify`: what a signed security record says, once its signature is checked. It asks no server. */
import { verifySecurityRecord } from '../keys/index.ts';
import type { SourceDeps } from './archive-source.ts';
import { badRequest } from './bad-request.ts';
import { readPlatformKeys, readRecord } from './small-text.ts';

/** The words of the command. */
export interface SecurityVerifyWords {
  readonly source: string;
  readonly platformKeys: string | undefined;
}

/**
 * @returns what the record says; `transcript` is one list, whose `leg` counts the rows of `legs` from 1
 * @throws PlatformError `SecurityRecordRefused`, `SecurityRecordKeyUnknown`; `BadRequest` for words that cannot be followed
 */
export async function verifySecurityCommand(
  { source, platformKeys }: SecurityVerifyWords,
  deps: SourceDeps,
): Promise<Record<string, unknown>> {
  if (platformKeys === undefined) {
    badRequest('--platform-keys FILE or URL is needed: /cloister/v1/manifest-keys of the platform');
  }
  const text = await readRecord(source, deps.stdin);
  const { record, keyId } = verifySecurityRecord(text, await readPlatformKeys(platformKeys, deps));
  const { legs, transcript, ...facts } = record;
  return {
    verified: source,
    ...facts,
    keyId,
    legs: legs.map((leg, index) => ({ leg: index + 1, ...leg })),
    transcript: transcript.flatMap((words, index) => words.map((word) => ({ leg: index + 1, ...word }))),
  };
}
