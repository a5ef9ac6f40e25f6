import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { camera, type TestClient } from '../../../../tests/core/platform.ts';
import { projectOfSessionId } from '../core/index.ts';
import { type Ask, type Body, type RestFixture, restFixture } from './rest-fixture.ts';

let rest: RestFixture;
before(async () => {
  rest = await restFixture();
});
after(() => rest.close());

/** A session with a client in it, and the calls of its routes. */
async function room() {
  const session = await rest.session();
  const client = await rest.enter(session, 'publisher', 'first');
  const path = `/v2/project/{k}/session/${session.id}`;
  return {
    session,
    client,
    path,
    call: (method: string, below: string, ask?: Ask) => rest.call(method, `${path}${below}`, ask),
  };
}

const form = (body: string, headers: Record<string, string> = {}): Ask => ({
  body,
  headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
});

const idOf = (client: TestClient) => client.client.connectionId;

describe('session/create', () => {
  const create = (body: string, headers?: Record<string, string>) =>
    rest.call('POST', '/session/create', form(body, headers));

  async function created(body: string) {
    const answer = await create(body);
    assert.equal(answer.statusCode, 200, answer.body);
    return rest.core.sessions.get(rest.projectId, answer.json()[0].session_id);
  }
  async function refused(body: string, why: RegExp) {
    const answer = await create(body);
    assert.equal(answer.statusCode, 400, answer.body);
    assert.match(answer.json().message, why);
  }

  it('SES1 SES5 REST5 answers JSON with the keys of a live answer to who asks for JSON', async () => {
    const answer = await create('p2p.preference=disabled');
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    const [session, ...more] = answer.json();
    assert.deepEqual(more, []);
    const { session_id, create_dt, session_segment_id, ...others } = session;
    assert.equal(projectOfSessionId(session_id), rest.projectId);
    assert.match(create_dt, /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d GMT 20\d\d$/);
    assert.match(session_segment_id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(others, {
      project_id: rest.projectId,
      partner_id: rest.projectId,
      session_status: null,
      status_invalid: null,
      media_server_hostname: null,
      messaging_server_url: null,
      messaging_url: null,
      symphony_address: null,
      properties: null,
      ice_server: null,
      ice_servers: null,
      ice_credential_expiration: 86_100,
    });
  });

  it('SES1 answers XML to others, and very old SDKs have a prefix', async () => {
    for (const accept of ['*/*', 'text/xml', 'application/xml']) {
      const answer = await create('', { accept });
      assert.equal(answer.headers['content-type'], 'text/xml');
      assert.match(
        answer.body,
        new RegExp(
          `^<\\?xml version="1.0" encoding="UTF-8" standalone="yes"\\?><sessions><Session><session_id>2_[\\w-]+</session_id>` +
            `<partner_id>${rest.projectId}</partner_id><create_dt>[^<]+</create_dt></Session></sessions>$`,
        ),
      );
    }
    assert.equal((await rest.call('POST', '/hl/session/create', form(''))).statusCode, 200);
  });

  it('SES2 is relayed and manual unless it is asked for otherwise', async () => {
    assert.equal((await created('')).mediaMode, 'relayed');
    assert.equal((await created('p2p.preference=')).mediaMode, 'relayed');
    assert.equal((await created('p2p.preference=enabled&archiveMode=manual')).mediaMode, 'relayed');
    const routed = await created('p2p.preference=disabled&archiveMode=always');
    assert.deepEqual([routed.mediaMode, routed.archiveMode], ['routed', 'always']);
    await refused('p2p.preference=maybe', /p2p.preference must be one of enabled, disabled/);
    await refused('archiveMode=never', /archiveMode must be one of/);
    await refused('p2p.preference=constructor', /must be one of/);
  });

  it('SES3 allows what OpenTok allows together', async () => {
    const archived = 'p2p.preference=disabled&archiveMode=always';
    const whole = await created(`${archived}&archiveName=n&archiveResolution=1280x720&location=1.2.3.4&e2ee=False`);
    assert.equal(whole.archiveResolution, '1280x720');
    assert.equal((await created('p2p.preference=disabled&e2ee=True')).e2ee, true);
    await created(`${archived}&archiveName=${'n'.repeat(limits.archiveNameChars)}`);
    await refused(`${archived}&archiveName=${'n'.repeat(limits.archiveNameChars + 1)}`, /archiveName/);
    await refused(`${archived}&archiveName=`, /archiveName/);
    await refused('archiveName=n', /archiveName needs/);
    await refused(`${archived}&archiveResolution=1x1`, /archiveResolution must be one of/);
    await refused('archiveResolution=1280x720', /archiveResolution needs/);
    await refused('archiveMode=always', /needs a routed session/);
    await refused('e2ee=true', /needs a routed session/);
    await refused(`${archived}&e2ee=true`, /cannot be archived/);
    await refused('e2ee=perhaps', /e2ee must be true or false/);
  });

  it('SES4 takes an IPv4 address as the location', async () => {
    await created('location=192.0.2.7');
    await created('location=');
    for (const wrong of ['here', '1.2.3', '::1', '1.2.3.4.5']) await refused(`location=${wrong}`, /location/);
  });

  it('SES6 REST7 reads JSON too, refuses a field that is there twice, and ignores what it does not know', async () => {
    const answer = await rest.call('POST', '/session/create', { body: { 'p2p.preference': 'disabled', e2ee: true } });
    const session = await rest.core.sessions.get(rest.projectId, answer.json()[0].session_id);
    assert.deepEqual([session.mediaMode, session.e2ee], ['routed', true]);
    await refused('p2p.preference=enabled&p2p.preference=disabled', /more than once/);
    assert.equal((await created('mediaMode=routed&anything=1&__proto__=x')).mediaMode, 'relayed');
  });

  it('SES7 makes ids that every SDK decodes', async () => {
    for (let each = 0; each < 20; each += 1) {
      const id: string = (await create('')).json()[0].session_id;
      assert.match(id, /^2_[A-Za-z0-9_-]+$/);
      const fields = Buffer.from(id.slice(2).replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString().split('~');
      assert.equal(fields[1], rest.projectId);
      assert.equal(fields[2], '');
    }
  });
});

describe('streams and connections', () => {
  it('STR1 STR2 STR5 shows who and what is in a session', async () => {
    const { session, client, call } = await room();
    assert.deepEqual((await call('GET', '/stream')).json(), { count: 0, items: [] });
    const streamId = await rest.publish(client);
    const item = { id: streamId, videoType: 'camera', name: 'camera', layoutClassList: [] };
    assert.deepEqual((await call('GET', '/stream')).json(), { count: 1, items: [item] });
    assert.deepEqual((await call('GET', `/stream/${streamId}`)).json(), item);
    for (const missing of ['nothing', streamId.replace(/^./, 'z'), 'x'.repeat(400)]) {
      const answer = await call('GET', `/stream/${missing}`);
      assert.equal(answer.statusCode, 408);
      assert.equal(answer.json().code, 408);
    }
    assert.deepEqual((await call('GET', '/connection')).json(), {
      count: 1,
      projectId: rest.projectId,
      sessionId: session.id,
      items: [{ connectionId: idOf(client), connectionState: 'Connected', createdAt: rest.clock.now() }],
    });
    const empty = await rest.session();
    assert.deepEqual((await rest.call('GET', `/v2/project/{k}/session/${empty.id}/connection`)).json().items, []);
  });

  it('STR3 sets the layout classes of all streams or of none', async () => {
    const { client, call, session } = await room();
    const streamId = await rest.publish(client);
    const set = (body: unknown) => call('PUT', '/stream', { body });
    const answer = await set({ items: [{ id: streamId, layoutClassList: ['focus', 'big'] }] });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json().items[0].layoutClassList, ['focus', 'big']);
    const wrong: unknown[] = [
      {},
      { items: {} },
      { items: [null] },
      { items: [{ id: streamId }] },
      { items: [{ id: 7, layoutClassList: [] }] },
      { items: [{ id: streamId, layoutClassList: 'focus' }] },
      { items: [{ id: streamId, layoutClassList: [1] }] },
      { items: [{ id: streamId, layoutClassList: ['x'.repeat(limits.layoutClassChars + 1)] }] },
      { items: [{ id: streamId, layoutClassList: Array(limits.layoutClasses + 1).fill('x') }] },
      {
        items: [
          { id: streamId, layoutClassList: ['lost'] },
          { id: 'unknown', layoutClassList: [] },
        ],
      },
    ];
    for (const body of wrong) assert.equal((await set(body)).statusCode, 400, JSON.stringify(body).slice(0, 80));
    assert.deepEqual((await call('GET', `/stream/${streamId}`)).json().layoutClassList, ['focus', 'big']);
    const most = {
      id: streamId,
      layoutClassList: Array(limits.layoutClasses).fill('x'.repeat(limits.layoutClassChars)),
    };
    assert.equal((await set({ items: [most] })).statusCode, 200);
    assert.deepEqual((await set({ items: [] })).json(), { count: 0, items: [] });
    client.client.leave('clientDisconnected');
    assert.equal((await set({ items: [most] })).statusCode, 400);
    assert.equal(
      rest.core.calls.overview().some((each) => each.sessionId === session.id),
      false,
    );
  });

  it('STR4 sets those of one stream as the PHP SDK does', async () => {
    const { client, call } = await room();
    const streamId = await rest.publish(client);
    const answer = await call('PUT', `/stream/${streamId}`, { body: { layoutClassList: ['full'] } });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json().layoutClassList, ['full']);
    assert.equal((await call('PUT', '/stream/none', { body: { layoutClassList: [] } })).statusCode, 400);
    assert.equal((await call('PUT', `/stream/${streamId}`, { body: {} })).statusCode, 400);
  });

  it('STR6 sends a client away', async () => {
    const { client, call } = await room();
    const gone = await call('DELETE', `/connection/${idOf(client)}`, {
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(gone.statusCode, 204);
    assert.equal(gone.body, '');
    assert.deepEqual(client.data('close'), [{ reason: 'forceDisconnected', error: null }]);
    assert.equal((await call('DELETE', `/connection/${idOf(client)}`)).statusCode, 404);
    const other = await room();
    const missing = await other.call('DELETE', '/connection/unknown', { body: { a: 1 } });
    assert.equal(missing.statusCode, 404);
    assert.equal(missing.json().code, 404);
  });
});

describe('signals', () => {
  it('SIG1 reach everybody, or the one that is named', async () => {
    const { session, client, call } = await room();
    const second = await rest.enter(session, 'subscriber');
    const all = await call('POST', '/signal', { body: { type: 'chat', data: 'to all' } });
    assert.equal(all.statusCode, 204);
    assert.equal(all.body, '');
    assert.equal(all.headers['content-type'], undefined);
    const one = await call('POST', `/connection/${idOf(second)}/signal`, { body: { type: null, data: '' } });
    assert.equal(one.statusCode, 204);
    assert.deepEqual(client.data('signal'), [{ type: 'chat', data: 'to all', from: null }]);
    assert.deepEqual(
      second.data('signal').map((each) => each.data),
      ['to all', ''],
    );
  });

  it('SIG2 need data and a type of harmless letters', async () => {
    const { call } = await room();
    for (const body of [{}, { type: 'a' }, { data: null }, '']) {
      const answer = await call('POST', '/signal', { body });
      assert.equal(answer.statusCode, 400);
      assert.deepEqual([answer.json().code, answer.json().message], [15202, "Signal payload 'data' must be set"]);
    }
    for (const body of [{ data: { a: 1 } }, { data: 7 }, { data: 'x', type: 'a b' }, { data: 'x', type: ['a'] }]) {
      assert.equal((await call('POST', '/signal', { body })).statusCode, 400);
    }
    assert.equal((await call('POST', '/signal', { body: { data: 'x', type: 'Az09-_~' } })).statusCode, 204);
  });

  it('SIG3 have a bound in bytes', async () => {
    const { call } = await room();
    const send = async (type: string, data: string) =>
      (await call('POST', '/signal', { body: { type, data } })).statusCode;
    assert.equal(await send('t'.repeat(limits.signalTypeBytes), 'é'.repeat(limits.signalDataBytes / 2)), 204);
    assert.equal(await send('t'.repeat(limits.signalTypeBytes + 1), ''), 413);
    assert.equal(await send('', `${'é'.repeat(limits.signalDataBytes / 2)}x`), 413);
  });

  it('SIG4 find nobody in an empty session', async () => {
    const empty = await rest.session();
    const path = `/v2/project/{k}/session/${empty.id}`;
    const answer = await rest.call('POST', `${path}/signal`, { body: { data: 'x' } });
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json().message, 'Not found. No clients are actively connected to the OpenTok session.');
    const { call } = await room();
    assert.equal((await call('POST', '/connection/none/signal', { body: { data: 'x' } })).statusCode, 404);
  });
});

describe('mutes', () => {
  const details = () => ({
    id: rest.projectId,
    status: 'ACTIVE',
    name: 'Test',
    environment: 'default',
    createdAt: rest.clock.now(),
  });

  it('MUT1 of one stream', async () => {
    const { client, call } = await room();
    const streamId = await rest.publish(client);
    for (const ask of [{ body: {} }, {}, { headers: { 'content-type': 'application/json' } }]) {
      const answer = await call('POST', `/stream/${streamId}/mute`, ask);
      assert.equal(answer.statusCode, 200);
      assert.deepEqual(answer.json(), details());
    }
    assert.deepEqual(client.data('muteForced')[0], { active: false, streamIds: [streamId] });
    assert.equal((await call('POST', '/stream/none/mute', { body: {} })).statusCode, 404);
  });

  it('MUT2 REST8 of a session, until it ends', async () => {
    const { session, client, call } = await room();
    const kept = await rest.publish(client);
    const second = await rest.enter(session);
    const muted = await rest.publish(second);
    const mute = (body: unknown) => call('POST', '/mute', { body });
    const answer = await mute({ active: true, excludedStreams: [kept, 'gone'] });
    assert.deepEqual([answer.statusCode, answer.json()], [200, details()]);
    assert.deepEqual(client.data('muteForced'), [{ active: true, streamIds: [] }]);
    assert.deepEqual(second.data('muteForced'), [{ active: true, streamIds: [muted] }]);
    const late = await rest.enter(session);
    await rest.publish(late);
    assert.ok(late.media.includes('produce audio paused'));
    assert.equal((await mute({ active: 'false' })).statusCode, 200);
    const later = await rest.enter(session);
    await rest.publish(later);
    assert.ok(later.media.includes('produce audio'));
    assert.equal((await mute({ active: 'true' })).statusCode, 200);
    const wrong = [
      {},
      { active: 1 },
      { active: 'yes' },
      { active: true, excludedStreams: 'a' },
      { active: true, excludedStreams: [1] },
    ];
    for (const body of wrong) assert.equal((await mute(body)).statusCode, 400, JSON.stringify(body));
  });

  it('MUT3 of an empty session finds nobody', async () => {
    const empty = await rest.session();
    const answer = await rest.call('POST', `/v2/project/{k}/session/${empty.id}/mute`, { body: { active: true } });
    assert.equal(answer.statusCode, 404);
  });

  it('MUT4 of a relayed session is refused, one stream and all', async () => {
    const session = await rest.session({ mediaMode: 'relayed' });
    const client = await rest.enter(session);
    const { stream } = await client.client.actions.publish(camera);
    for (const below of [`/stream/${stream.streamId}/mute`, '/mute']) {
      const path = `/v2/project/{k}/session/${session.id}${below}`;
      const answer = await rest.call('POST', path, { body: { active: true } });
      assert.deepEqual([answer.statusCode, answer.json().code], [409, 409]);
      assert.match(answer.json().message, /relayed session has no mute/);
    }
  });
});

describe('DTMF', () => {
  it('DTM1 knows which digits there are', async () => {
    const { call } = await room();
    for (const digits of ['', 'a', '12 3', '1-2', 'P', undefined, 1713, ['1']]) {
      const answer = await call('POST', '/play-dtmf', { body: { digits } });
      assert.equal(answer.statusCode, 400);
      assert.deepEqual([answer.json().code, answer.json().message], [400, 'Invalid DTMF Digits']);
    }
  });

  it('DTM2 DTM3 plays to nobody while there is no SIP', async () => {
    const { client, call } = await room();
    const body = { digits: '1713*#p' };
    assert.equal((await call('POST', '/play-dtmf', { body })).statusCode, 200);
    assert.equal((await call('POST', `/connection/${idOf(client)}/play-dtmf`, { body })).statusCode, 200);
    assert.equal((await call('POST', '/connection/none/play-dtmf', { body })).statusCode, 404);
    client.client.leave('clientDisconnected');
    assert.equal((await call('POST', '/play-dtmf', { body })).statusCode, 404);
  });
});

describe('every route', () => {
  it('REST2 REST3 REST4 has aliases, trailing slashes and headers that nobody knows', async () => {
    const { session, path } = await room();
    const expected = (await rest.call('GET', `${path}/stream`)).body;
    const partner = path.replace('project', 'partner');
    for (const url of [
      `${path}/stream/`,
      `${path}/stream?&offset=0&&count=5&`,
      `${partner}/stream`,
      `${partner}/stream/`,
    ]) {
      const answer = await rest.call('GET', url, { headers: { headers: '[object Object]' } });
      assert.deepEqual([answer.statusCode, answer.body], [200, expected], url);
    }
    assert.equal((await rest.call('GET', `/v2/partner/{k}/session/${session.id}/connection/`)).statusCode, 200);
  });

  it('REST6 reads a body by the route and not by its type', async () => {
    const { call } = await room();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'a/b; c']) {
      const answer = await call('POST', '/signal', { body: { data: 'x' }, headers: { 'content-type': type } });
      assert.equal(answer.statusCode, 204, type);
    }
    const rubbish = await call('POST', '/signal', { body: { data: 'x' }, headers: { 'content-type': 'rubbish' } });
    assert.equal(rubbish.statusCode, 400);
    assert.match(rubbish.json().message, /not a media type/);
    assert.equal((await call('GET', '/stream', { body: { a: 1 } })).statusCode, 200);
  });

  it('REST9 answers rubbish with a clear refusal', async () => {
    const { call } = await room();
    const wrong: [string, RegExp][] = [
      ['{', /not JSON/],
      ['[]', /not a JSON object/],
      ['null', /not a JSON object/],
      ['"text"', /not a JSON object/],
      ['{"data":"x"}}', /not JSON/],
      ['['.repeat(30_000), /not JSON/],
    ];
    for (const [body, why] of wrong) {
      const answer = await call('POST', '/signal', { body });
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json().message, why);
    }
    const answer = await rest.app.inject({
      method: 'POST',
      url: '/session/create',
      headers: { 'x-opentok-auth': rest.credential(), accept: 'application/json' },
      payload: Buffer.from([0x70, 0xff, 0xfe]),
    });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json().message, /not UTF-8/);
  });

  it('REST9 takes bodies of bodyBytes and no more', async () => {
    const { call } = await room();
    const filler = (bytes: number) => `{"data":"x","pad":"${'y'.repeat(bytes - 21)}"}`;
    assert.equal(filler(100).length, 100);
    assert.equal((await call('POST', '/signal', { body: filler(limits.bodyBytes) })).statusCode, 204);
    const answer = await call('POST', '/signal', { body: filler(limits.bodyBytes + 1) });
    assert.equal(answer.statusCode, 413);
    assert.equal(answer.json().code, 413);
  });

  it('REST11 knows its paths and methods', async () => {
    for (const [method, path] of [
      ['GET', '/v2/project/{k}/nothing'],
      ['DELETE', '/v2/partner/{k}/callback'],
      ['PATCH', '/v2/project/{k}'],
    ] as const) {
      const answer = await rest.call(method, path);
      assert.equal(answer.statusCode, 404);
      assert.match(answer.json().message, new RegExp(`There is nothing at ${method} /v2/`));
    }
  });

  it('REST12 tells a foreign session id from one that was never made', async () => {
    const { session } = await room();
    const unmade = Buffer.from(`2~${rest.projectId}~~1~abcdefghijklmnopqrstuvwx~~`).toString('base64url');
    const foreign = Buffer.from('2~12345678~~1~abcdefghijklmnopqrstuvwx~~').toString('base64url');
    const status = async (id: string) => (await rest.call('GET', `/v2/project/{k}/session/${id}/stream`)).statusCode;
    assert.equal(await status(session.id), 200);
    assert.equal(await status(`2_${unmade}`), 404);
    for (const id of [`2_${foreign}`, 'x', '2_', `${session.id.slice(1)}`, '%00', '%F0%9F%98%80'])
      assert.equal(await status(id), 400, id);
    const actions: [string, string, Body][] = [
      ['POST', 'signal', { data: 'x' }],
      ['POST', 'mute', { active: true }],
      ['POST', 'stream/s/mute', {}],
      ['POST', 'play-dtmf', { digits: '1' }],
      ['DELETE', 'connection/c', undefined],
      ['GET', 'connection', undefined],
    ];
    for (const [method, path, body] of actions) {
      for (const [id, expected] of [
        [`2_${unmade}`, 404],
        [`2_${foreign}`, 400],
      ]) {
        const answer = await rest.call(method, `/v2/project/{k}/session/${id}/${path}`, { body });
        assert.equal(answer.statusCode, expected, `${method} ${path}`);
      }
    }
  });
});
