import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { ManualClock, systemClock } from '../lib/index.ts';
import type { AuditContent } from './entry.ts';
import type { Sent } from './outlet.ts';
import { syslogFrame, syslogMessage, syslogSender } from './syslog.ts';

function sent(facts: Partial<AuditContent> = {}, index = 7): Sent {
  const content = { at: 1_800_000_000_123, action: 'project.created', outcome: 'done', detail: {}, ...facts };
  return { log: 'log', index, content: content as AuditContent };
}

test('a message is one of RFC 5424: priority, version, time, host, name, id, and JSON in ASCII', () => {
  assert.equal(
    syslogMessage(sent({ detail: { name: 'Zoë' } }), 'video.example'),
    '<109>1 2027-01-15T08:00:00.123Z video.example cloister - project.created - ' +
      '{"log":"log","index":7,"at":1800000000123,"action":"project.created","outcome":"done","detail":{"name":"Zo\\u00eb"}}',
  );
  assert.match(syslogMessage(sent({ outcome: 'failed' }), 'h'), /^<108>1 /);
  assert.match(syslogMessage(sent({ action: 'audit.gap' }), 'h'), /^<105>1 /);
  const broken = { log: 'log', index: null, content: null, broken: 'why' };
  assert.match(syslogMessage(broken, 'h'), /^<105>1 - h cloister - audit.broken - \{.*"why":"why"\}$/);
  const long = 'a'.repeat(33);
  assert.match(syslogMessage(sent({ action: long }), 'h'), / - a{32} - /);
  assert.equal(syslogFrame('<1>1 - - - - - -'), '16 <1>1 - - - - - -');
});

test('a message of auditSyslogBytes goes whole, a longer one without its detail', () => {
  const empty = syslogMessage(sent({ detail: { x: '' } }), 'h').length;
  const fits = syslogMessage(sent({ detail: { x: 'y'.repeat(limits.auditSyslogBytes - empty) } }), 'h');
  assert.equal(fits.length, limits.auditSyslogBytes);
  const longer = syslogMessage(sent({ detail: { x: 'y'.repeat(limits.auditSyslogBytes - empty + 1) } }), 'h');
  assert.match(longer, /"action":"project.created","outcome":"done","cut":true\}$/);
});

/** A receiver at a port, and how it is reached. */
async function receiver(t: { after(task: () => void): void }, take: (socket: import('node:net').Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, take).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
}

test('what was sent has arrived when the receiver has read to the end and ends too, not before', async (t) => {
  let read = '';
  const ended = Promise.withResolvers<() => void>();
  const open = await receiver(t, (socket) => {
    socket.on('data', (bytes) => {
      read += bytes;
    });
    socket.on('end', () => ended.resolve(() => socket.end()));
  });
  const sending = syslogSender(open, { host: 'h', clock: systemClock })([sent(), sent({}, 8)]);
  const end = await ended.promise;
  assert.equal(await Promise.race([sending.then(() => 'arrived'), 'not yet']), 'not yet');
  end();
  await sending;
  const frames = [7, 8].map((index) => syslogFrame(syslogMessage(sent({}, index), 'h')));
  assert.equal(read, frames.join(''));
});

test('a receiver that is cut off, or does not end within auditOutletAnswerSeconds, has taken nothing', async (t) => {
  const cut = await receiver(t, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
  const failure = { code: 'DestinationFailed' };
  await assert.rejects(syslogSender(cut, { host: 'h', clock: systemClock })([sent()]), failure);
  const clock = new ManualClock();
  const got = Promise.withResolvers<void>();
  const silent = await receiver(t, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => got.resolve());
  });
  const sending = syslogSender(silent, { host: 'h', clock })([sent()]);
  let over = false;
  const late = assert.rejects(sending, { ...failure, message: /did not end the connection/ }).then(() => {
    over = true;
  });
  await got.promise;
  clock.advance(limits.auditOutletAnswerSeconds * 1000 - 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(over, false);
  clock.advance(1);
  await late;
});
