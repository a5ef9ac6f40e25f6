/** Routes 1 to 12: sessions, streams, connections, signals, moderation and DTMF. */
import { isIPv4 } from 'node:net';
import { PlatformError } from '@cloister/protocol';
import type { SessionWish } from '../core/index.ts';
import { xmlHead } from './answer.ts';
import {
  bad,
  type Fields,
  formFields,
  jsonFields,
  optionalFlag,
  optionalText,
  requiredText,
  textList,
} from './body.ts';
import { type Call, type Handler, projectActor, sessionIdOf } from './call.ts';
import { connectionItem, javaDate, projectDetails, streamItem } from './shape.ts';

const ok = { code: 200, message: 'OK' };

/** Route 1. */
export const createSession: Handler = async (call) => {
  const { core, issuer } = call;
  const session = await core.sessions.create(projectActor(call), issuer, wishOf(formFields(call.text)));
  const created = javaDate(session.createdAt);
  const json = [
    {
      session_id: session.id,
      project_id: issuer,
      partner_id: issuer,
      create_dt: created,
      session_status: null,
      status_invalid: null,
      media_server_hostname: null,
      messaging_server_url: null,
      messaging_url: null,
      symphony_address: null,
      properties: null,
      ice_server: null,
      session_segment_id: core.ids.uuid(),
      ice_servers: null,
      ice_credential_expiration: 86_100,
    },
  ];
  const xml =
    `${xmlHead}<sessions><Session><session_id>${session.id}</session_id><partner_id>${issuer}</partner_id>` +
    `<create_dt>${created}</create_dt></Session></sessions>`;
  return { status: 200, json, xml };
};

/** Fields that are not known are ignored: the Node SDK passes on whatever its caller gave it. */
function wishOf(fields: Fields): SessionWish {
  const location = optionalText(fields, 'location');
  if (location && !isIPv4(location)) throw bad('location must be an IPv4 address');
  return {
    mediaMode: oneOf(fields, 'p2p.preference', { enabled: 'relayed', disabled: 'routed' }, 'enabled'),
    archiveMode: oneOf(fields, 'archiveMode', { manual: 'manual', always: 'always' }, 'manual'),
    archiveName: optionalText(fields, 'archiveName'),
    archiveResolution: optionalText(fields, 'archiveResolution'),
    e2ee: optionalFlag(fields, 'e2ee') ?? false,
  };
}

function oneOf<Word extends string, Value>(
  fields: Fields,
  name: string,
  words: Readonly<Record<Word, Value>>,
  usual: NoInfer<Word>,
): Value {
  const word = optionalText(fields, name) || usual;
  if (!Object.hasOwn(words, word)) throw bad(`${name} must be one of ${Object.keys(words).join(', ')}`);
  return words[word as Word];
}

/** Route 2. */
export const listStreams: Handler = async (call) => {
  const streams = await call.core.calls.streams(call.issuer, sessionIdOf(call));
  return { status: 200, json: { count: streams.length, items: streams.map(streamItem) } };
};

/** Route 3. A stream that is not in the session is 408 here, as OpenTok has it. */
export const getStream: Handler = async (call) => {
  const streamId = call.params.streamId!;
  const streams = await call.core.calls.streams(call.issuer, sessionIdOf(call));
  const stream = streams.find(({ id }) => id === streamId);
  if (!stream) throw new PlatformError('StreamIdInvalid', { streamId: streamId.slice(0, 128) });
  // The Node SDK parses this answer twice, and fails, when the type is `application/json` to the letter.
  const type = call.userAgent.startsWith('OpenTok-Node-SDK/') ? 'application/JSON' : undefined;
  return { status: 200, json: streamItem(stream), type };
};

/** Route 4. */
export const setLayoutClasses: Handler = async (call) => {
  const { items } = jsonFields(call.text);
  if (!Array.isArray(items)) throw bad('items must be an array');
  const streams = await classesSet(
    call,
    items.map((item: unknown, index) => {
      const fields = typeof item === 'object' && item !== null ? (item as Fields) : {};
      return {
        id: requiredText(fields, 'id'),
        classes: textList(fields.layoutClassList, `layoutClassList of item ${index}`),
      };
    }),
  );
  return { status: 200, json: { count: streams.length, items: streams.map(streamItem) } };
};

/** The PHP SDK's own way to set the classes of one stream. */
export const setStreamClasses: Handler = async (call) => {
  const classes = textList(jsonFields(call.text).layoutClassList, 'layoutClassList');
  const [stream] = await classesSet(call, [{ id: call.params.streamId!, classes }]);
  return { status: 200, json: streamItem(stream!) };
};

/** This route knows no 404: a stream or a client that is not there is a bad request. */
async function classesSet(call: Call, items: readonly { id: string; classes: readonly string[] }[]) {
  const sessionId = sessionIdOf(call);
  if (items.length === 0) {
    await call.core.sessions.get(call.issuer, sessionId);
    return [];
  }
  try {
    return await call.core.calls.setLayoutClasses(projectActor(call), call.issuer, sessionId, items);
  } catch (error) {
    if (error instanceof PlatformError && ['StreamNotFound', 'NobodyConnected'].includes(error.code)) {
      throw bad('items name a stream that is not in this session');
    }
    throw error;
  }
}

/** Route 5. */
export const listConnections: Handler = async (call) => {
  const sessionId = sessionIdOf(call);
  const connections = await call.core.calls.connections(call.issuer, sessionId);
  const items = connections.map(connectionItem);
  return { status: 200, json: { count: items.length, projectId: call.issuer, sessionId, items } };
};

/** Route 6. */
export const disconnect: Handler = async (call) => {
  const { core, issuer, params } = call;
  await core.calls.forceDisconnect(projectActor(call), issuer, sessionIdOf(call), params.connectionId!);
  return { status: 204 };
};

/** Routes 7 and 8. */
export const signal: Handler = async (call) => {
  const fields = jsonFields(call.text);
  const message = { type: optionalText(fields, 'type'), data: optionalText(fields, 'data') };
  await call.core.calls.signal(call.issuer, sessionIdOf(call), message, call.params.connectionId ?? null);
  return { status: 204 };
};

/** Route 9. */
export const muteStream: Handler = async (call) => {
  const { core, issuer, params } = call;
  await core.calls.forceMuteStream(projectActor(call), issuer, sessionIdOf(call), params.streamId!);
  return { status: 200, json: projectDetails(await core.projects.get(issuer)) };
};

/** Route 10. */
export const muteSession: Handler = async (call) => {
  const { core, issuer } = call;
  const fields = jsonFields(call.text);
  const active = optionalFlag(fields, 'active');
  if (active === undefined) throw bad('active is missing');
  const excluded = textList(fields.excludedStreams ?? [], 'excludedStreams');
  await core.calls.forceMuteAll(projectActor(call), issuer, sessionIdOf(call), active, excluded);
  return { status: 200, json: projectDetails(await core.projects.get(issuer)) };
};

/** Routes 11 and 12. Digits are played to the SIP legs of a session; it has none, so nothing is left to be done. */
export const playDtmf: Handler = async (call) => {
  const { digits } = jsonFields(call.text);
  if (typeof digits !== 'string' || !/^[0-9*#p]+$/.test(digits)) throw new PlatformError('DtmfInvalid');
  const connections = await call.core.calls.connections(call.issuer, sessionIdOf(call));
  const { connectionId } = call.params;
  if (connections.length === 0) throw new PlatformError('NobodyConnected');
  if (connectionId !== undefined && !connections.some(({ id }) => id === connectionId)) {
    throw new PlatformError('ConnectionNotFound', { connectionId: connectionId.slice(0, 128) });
  }
  return { status: 200, json: ok };
};
