/** An archive as OpenTok's REST API and its callbacks have it (compat 2.2). */
import type { Archive, ArchiveView } from '../core/index.ts';

/** Milliseconds to the whole seconds that OpenTok counts in. */
const seconds = (ms: number) => Math.round(ms / 1000);

/**
 * @param url a download link; null for an archive that is not to be had
 * @param tag only in the answer to the start
 */
export function archiveItem({ archive, streams }: ArchiveView, url: string | null, tag: string | null = null) {
  return {
    ...common(archive, url),
    createdAt: archive.beganAt ?? archive.createdAt,
    ...(archive.status === 'started' && { streams }),
    ...(tag !== null && { multiArchiveTag: tag }),
  };
}

/** The body of a callback: `createdAt` is the time of the start call there, in whole seconds. */
export function archiveCallback(archive: Archive, url: string | null) {
  return {
    ...common(archive, url),
    createdAt: archive.createdAt,
    event: 'archive',
    certificate: archive.certificate ?? '',
  };
}

function common(archive: Archive, url: string | null) {
  const { maxBitrate, quantizationParameter } = archive;
  return {
    id: archive.id,
    status: archive.status,
    name: archive.name,
    reason: archive.reason,
    sessionId: archive.sessionId,
    // Numbers here, though strings nearly everywhere else: the PHP SDK refuses anything but an integer.
    partnerId: Number(archive.projectId),
    projectId: Number(archive.projectId),
    updatedAt: archive.updatedAt,
    size: archive.sizeBytes,
    duration: seconds(archive.durationMs),
    outputMode: archive.outputMode,
    streamMode: archive.streamMode,
    hasAudio: archive.hasAudio,
    hasVideo: archive.hasVideo,
    hasTranscription: false,
    sha256sum: archive.sha256,
    password: archive.password,
    ...(archive.resolution !== null && { resolution: archive.resolution }),
    ...(maxBitrate !== null && { maxBitrate }),
    ...(quantizationParameter !== null && { quantizationParameter }),
    url,
  };
}
