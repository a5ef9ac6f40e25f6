/**
 * Keys of frames in end-to-end encrypted sessions, as far as the server has to do with them: it passes on what each client
 * tells of its key, and lets nobody publish or subscribe who told of none. It holds no key and can make none.
 */
import { type Answer, type EventData, type FrameLayer, type ParsedRequest, PlatformError } from '@cloister/protocol';
import type { Connection } from './connection.ts';

/**
 * Takes note of the key that a client seals its frames with from now on, and tells the others if it may publish.
 * @throws PlatformError `WrongState` in a session that is not end-to-end encrypted, and for an id that is not above the one before
 */
export async function announceFrameKey(
  connection: Connection,
  key: ParsedRequest<'announceFrameKey'>,
): Promise<Answer<'announceFrameKey'>> {
  if (!connection.home.session.e2ee)
    throw new PlatformError('WrongState', { why: 'this session is not end-to-end encrypted' });
  if (connection.frameKey && key.keyId <= connection.frameKey.keyId)
    throw new PlatformError('WrongState', {
      why: `the frame key ${key.keyId} is not above ${connection.frameKey.keyId}`,
    });
  connection.frameKey = key;
  const told = toldKey(connection);
  if (told) connection.home.broadcast('frameKeyAnnounced', told, connection);
  return {};
}

/** What others learn of a connection's key; null when it has none, or nothing to send. */
export function toldKey({ id, frameKey, capabilities }: Connection): EventData<'frameKeyAnnounced'> | null {
  return frameKey && capabilities.publish === 1 ? { connectionId: id, key: frameKey } : null;
}

/** @throws PlatformError `FrameKeyMissing` where frames have to be encrypted and this client has told of no key */
export function requireFrameKey({ home, frameKey }: Connection): void {
  if (home.session.e2ee && !frameKey) throw new PlatformError('FrameKeyMissing');
}

/** The frame encryption of a connection's legs, as it announced it; null where there is none. */
export function frameLayerOf({ frameKey }: Connection): FrameLayer | null {
  return frameKey ? 'AES_256_GCM_SHA512_128' : null;
}
