/** Routes 13 to 19: archives, their layout and their streams. */
import { limits, PlatformError } from '@cloister/protocol';
import type { ArchiveView } from '../core/index.ts';
import { archiveItem } from './archive-shape.ts';
import { bad, type Fields, jsonFields, optionalFlag, optionalNumber, optionalText, requiredText } from './body.ts';
import { type Call, type Handler, projectActor } from './call.ts';

/** Route 13. */
export const startArchive: Handler = async (call) => {
  const fields = jsonFields(call.text);
  if (optionalFlag(fields, 'hasTranscription')) {
    throw new PlatformError('NotBuilt', { feature: 'transcription of archives' });
  }
  const started = await call.core.archives.start(projectActor(call), call.issuer, {
    sessionId: requiredText(fields, 'sessionId'),
    name: optionalText(fields, 'name'),
    hasAudio: optionalFlag(fields, 'hasAudio'),
    hasVideo: optionalFlag(fields, 'hasVideo'),
    outputMode: optionalText(fields, 'outputMode'),
    layout: layoutOf(fields.layout),
    resolution: optionalText(fields, 'resolution'),
    streamMode: optionalText(fields, 'streamMode'),
    multiArchiveTag: optionalText(fields, 'multiArchiveTag'),
    maxBitrate: optionalNumber(fields, 'maxBitrate'),
    quantizationParameter: optionalNumber(fields, 'quantizationParameter'),
  });
  return { status: 200, json: archiveItem(started, null, started.tag) };
};

/** Route 14. What is asked for out of bounds is taken to the bound: this route knows no 400. */
export const listArchives: Handler = async (call) => {
  const { query } = call;
  const wish = {
    sessionId: query.get('sessionId') || undefined,
    offset: wholeWithin(query.get('offset'), 0, 0, Number.MAX_SAFE_INTEGER),
    count: wholeWithin(query.get('count'), limits.archivesListedDefault, 1, limits.archivesListed),
  };
  const { count, items } = await call.core.archives.list(call.issuer, wish);
  return { status: 200, json: { count, items: items.map((item) => shown(call, item)) } };
};

/** Route 15. */
export const getArchive: Handler = async (call) => ({
  status: 200,
  json: shown(call, await call.core.archives.get(call.issuer, call.params.archiveId!)),
});

/** Route 16. */
export const stopArchive: Handler = async (call) => {
  const archive = await call.core.archives.stop(projectActor(call), call.issuer, call.params.archiveId!);
  return { status: 200, json: shown(call, { archive, streams: [] }) };
};

/** Route 17. */
export const deleteArchive: Handler = async (call) => {
  await call.core.archives.remove(projectActor(call), call.issuer, call.params.archiveId!);
  return { status: 204 };
};

/** Route 18. The answer is the archive, which the Go SDK reads. */
export const setArchiveLayout: Handler = async (call) => {
  const layout = layoutOf(jsonFields(call.text)) ?? {};
  const view = await call.core.archives.setLayout(projectActor(call), call.issuer, call.params.archiveId!, layout);
  return { status: 200, json: shown(call, view) };
};

/** Route 18, as the PHP SDK reads it. */
export const getArchiveLayout: Handler = async (call) => ({
  status: 200,
  json: await call.core.archives.layout(call.issuer, call.params.archiveId!),
});

/** Route 19. */
export const changeArchiveStreams: Handler = async (call) => {
  const { core, issuer, params } = call;
  const fields = jsonFields(call.text);
  const [added, removed] = [optionalText(fields, 'addStream'), optionalText(fields, 'removeStream')];
  if (Boolean(added) === Boolean(removed)) throw bad('send either addStream or removeStream');
  const actor = projectActor(call);
  if (removed) await core.archives.removeStream(actor, issuer, params.archiveId!, removed);
  else {
    const wish = {
      streamId: added!,
      hasAudio: optionalFlag(fields, 'hasAudio') ?? true,
      hasVideo: optionalFlag(fields, 'hasVideo') ?? true,
    };
    if (!wish.hasAudio && !wish.hasVideo) throw bad('hasAudio and hasVideo cannot both be false');
    await core.archives.addStream(actor, issuer, params.archiveId!, wish);
  }
  return { status: 204 };
};

/** The Ruby SDK spells `screenshareType` in its own way. */
function layoutOf(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw bad('layout must be an object');
  const { screenshare_type: spelled, ...fields } = value as Fields;
  return spelled === undefined || 'screenshareType' in fields ? fields : { ...fields, screenshareType: spelled };
}

function shown({ core, baseUrl }: Call, view: ArchiveView) {
  const path = core.archiveLinks.pathOf(view.archive);
  return archiveItem(view, path === null ? null : `${baseUrl()}${path}`);
}

function wholeWithin(text: string | null, usual: number, min: number, max: number): number {
  const value = /^-?\d{1,15}$/.test(text ?? '') ? Number(text) : usual;
  return Math.min(Math.max(value, min), max);
}
