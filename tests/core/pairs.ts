/** Two clients of a relayed session, and what they say of the connection between them. */
import type { PeerReport } from '@cloister/protocol';
import type { Session } from '../../packages/server/src/core/index.ts';
import { camera, type TestClient, type TestPlatform } from './platform.ts';

export const LAYER = 'AES_256_GCM_SHA512_128' as const;
export const WEAK = 'AEAD_AES_128_GCM';
/** Of frames: that neither end can encrypt them. */
export const unable = { own: false, other: false };
export const everything = { audio: true, video: true };

export interface Pair {
  readonly session: Session;
  readonly publisher: TestClient;
  readonly subscriber: TestClient;
  readonly streamId: string;
}

export async function publishTo(from: TestClient): Promise<string> {
  return (await from.client.actions.publish(camera)).stream.streamId;
}

export function subscribeTo(streamId: string, by: TestClient) {
  return by.client.actions.subscribe({ streamId, rtpCapabilities: {}, ...everything });
}

/** Somebody who publishes, and somebody who subscribes to it. @param says what both say of themselves */
export async function aPair(platform: TestPlatform, says?: { frames: boolean }): Promise<Pair> {
  const session = await platform.session({ mediaMode: 'relayed' });
  const publisher = await platform.enter(session, 'moderator', '', says);
  const subscriber = await platform.enter(session, 'publisher', '', says);
  const streamId = await publishTo(publisher);
  await subscribeTo(streamId, subscriber);
  return { session, publisher, subscriber, streamId };
}

/** One end's word; unless it says otherwise of the first connection, AES-128 and no frame encryption. */
export function report(from: TestClient, to: TestClient, word: Partial<PeerReport> = {}) {
  return from.client.actions.reportPeerSuite({
    connectionId: to.client.connectionId,
    build: 1,
    suite: WEAK,
    dtlsVersion: 'DTLS 1.2',
    frameLayer: null,
    frames: unable,
    ...word,
  });
}
