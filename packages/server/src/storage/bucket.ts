/** A storage as uploads see it: one object in it, sent in parts. `s3.ts` and `azure.ts` fill it. */
import { createHash } from 'node:crypto';

/** A part that arrived, as the storage calls it. */
export type PartTag = string;

/** Every method throws `UploadFault`. */
export interface Bucket {
  /**
   * Begins an upload. What the project asked the storage to encrypt with has been confirmed by its answer when this resolves;
   * until then no byte of the archive was sent.
   * @param mark stays with the object, so that it is known again
   * @returns the storage's name for the upload
   */
  begin(mark: string): Promise<string>;
  /** @param number from 1 on; one that was sent before is replaced */
  sendPart(uploadId: string, number: number, bytes: Buffer): Promise<PartTag>;
  /** Makes the object of its parts; without any it is empty. */
  complete(uploadId: string, mark: string, parts: readonly PartTag[]): Promise<void>;
  /** Takes away what was sent and is no object yet. */
  abort(uploadId: string): Promise<void>;
  /** Whether the object is there, whole and from this very upload; false where the storage does not let us look. */
  isThere(mark: string, sizeBytes: number): Promise<boolean>;
}

/** The name of the mark among the metadata of an object; letters alone, as Azure wants it. */
export const markName = 'cloisterupload';

export function md5Of(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest();
}

/** What its name says of an object. */
export function contentTypeOf(name: string): string {
  if (name.endsWith('.mp4')) return 'video/mp4';
  if (name.endsWith('.zip')) return 'application/zip';
  // Of an archive that is sealed to a certificate, which is no video to anybody without the key.
  return 'application/octet-stream';
}
