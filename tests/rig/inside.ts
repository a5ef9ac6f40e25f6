/** A platform in the test's own process, for those who must look inside it: at what its media server holds. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../packages/server/src/config.ts';
import type { TapSink } from '../../packages/server/src/core/index.ts';
import { type Platform, startPlatform } from '../../packages/server/src/main.ts';
import { atEnd, tempFolder } from './cleanup.ts';
import { newDataFolder } from './embedded.ts';
import { freePorts } from './ports.ts';
import { MEDIA_PORTS } from './server.ts';

export async function startInside(): Promise<Platform> {
  const dataDir = await newDataFolder();
  atEnd(() => rmSync(dataDir, { recursive: true, force: true }));
  const mediaPort = await freePorts(MEDIA_PORTS);
  const config = loadConfig(
    {
      ...process.env,
      CLOISTER_PORT: '0',
      CLOISTER_DATA_DIR: dataDir,
      CLOISTER_ROOT_KEY_FILE: path.join(tempFolder('inside'), 'root.key'),
      CLOISTER_MEDIA_PORTS: `${mediaPort}-${mediaPort + MEDIA_PORTS - 1}`,
      CLOISTER_MEDIA_WORKERS: '1',
    },
    [],
  );
  return startPlatform(config, { journal: { record() {} }, progress() {} });
}

/** Hands over the packets of a stream, as a recorder would get them. @returns how to end it */
export async function tapOf(
  { core }: Platform,
  [projectId, sessionId, streamId]: readonly [string, string, string],
  packet: TapSink['packet'],
): Promise<() => void> {
  const home = await core.calls.home(projectId, sessionId);
  if (!home?.room) throw new Error(`nobody is in ${sessionId}`);
  const tap = await home.room.tap(streamId);
  const ignore = () => undefined;
  await tap.start({
    track: ignore,
    trackEnded: ignore,
    trackPaused: ignore,
    senderReport: ignore,
    ended: ignore,
    packet,
  } as TapSink);
  return () => tap.close();
}
