/**
 * What is remembered of an upload, in a small file beside the archive: where it goes, what has arrived, and what the archive
 * turned out to be. The target with its credentials is sealed with the project's data key, as it is in the database.
 */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type Keys, type Sealed, type StorageTarget, sealedContext } from '../core/index.ts';
import { replaceFile } from '../lib/index.ts';

const stateFile = z.strictObject({
  version: z.literal(1),
  projectId: z.string(),
  /** In the bucket. */
  name: z.string(),
  fallback: z.enum(['none', 'opentok']),
  target: z.string(),
  /** What the storage knows of it; null before the first word, and after it has forgotten. */
  begun: z
    .strictObject({
      uploadId: z.string(),
      mark: z.string(),
      partBytes: z.int().positive(),
      /** Of each part, what the storage calls it and its SHA-256, base64. */
      parts: z.array(z.strictObject({ tag: z.string(), sha256: z.string() })),
    })
    .nullable(),
  /** Once the recording is over. */
  result: z
    .strictObject({
      sizeBytes: z.int().nonnegative(),
      durationMs: z.number().nonnegative(),
      sha256: z.string(),
      password: z.string(),
      /** Milliseconds since 1970. */
      endedAt: z.number(),
    })
    .nullable(),
  /** The object is there. */
  done: z.boolean(),
});

export type UploadState = z.infer<typeof stateFile>;

const place = (folder: string) => path.join(folder, 'upload.json');

/** @returns null where there is none that can be read */
export async function readState(folder: string): Promise<UploadState | null> {
  try {
    return stateFile.parse(JSON.parse(await readFile(place(folder), 'utf8')));
  } catch {
    return null;
  }
}

/** Writes it as a whole: a crash leaves this one or the one before. @throws what the disk says */
export async function writeState(folder: string, state: UploadState): Promise<void> {
  await replaceFile(place(folder), JSON.stringify(state));
}

export async function removeState(folder: string): Promise<void> {
  await rm(place(folder), { force: true });
}

export type Seals = Pick<Keys, 'seal' | 'open' | 'reseal'>;

export function sealTarget(keys: Seals, projectId: string, archiveId: string, target: StorageTarget): Sealed {
  return keys.seal(projectId, sealedContext.uploadTarget(archiveId), JSON.stringify(target));
}

/** What is remembered, with its target under the key that seals now; the same where it is. @throws PlatformError `SealBroken` */
export function resealed(keys: Seals, archiveId: string, state: UploadState): UploadState {
  const target = keys.reseal(state.projectId, sealedContext.uploadTarget(archiveId), state.target as Sealed);
  return target === state.target ? state : { ...state, target };
}

/** @throws PlatformError `SealBroken` */
export function openTarget(keys: Seals, archiveId: string, { projectId, target }: UploadState): StorageTarget {
  return JSON.parse(keys.open(projectId, sealedContext.uploadTarget(archiveId), target as Sealed)) as StorageTarget;
}
