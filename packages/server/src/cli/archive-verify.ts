/** `cloister archive verify`: whether a file is the archive that its manifest says, without opening it. It asks no server. */
import { type ExpectedWords, readExpectation, requireFile } from './archive-expected.ts';
import { findSource, type SourceDeps } from './archive-source.ts';
import { badRequest } from './bad-request.ts';

/** The words of the command. */
export interface VerifyWords extends Pick<ExpectedWords, 'manifest' | 'platformKeys'> {
  readonly source: string;
}

/**
 * @returns what the manifest says of the file
 * @throws PlatformError `ArchiveCut`, `ArchiveChanged`, `ArchiveUnreadable`; `ManifestRefused`, `ManifestKeyUnknown`;
 *   `BadRequest` for words that cannot be followed
 */
export async function verifyArchiveCommand(
  { source, ...words }: VerifyWords,
  deps: SourceDeps,
): Promise<Record<string, unknown>> {
  const expected = await readExpectation({ ...words, sha256: undefined }, deps);
  if (expected?.by !== 'manifest') return badRequest('--manifest FILE is needed, with --platform-keys FILE or URL');
  await requireFile(await findSource(source, deps), expected);
  const { manifest, keyId } = expected;
  return { verified: source, ...manifest, keyId };
}
