import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type Suite } from '@cloister/protocol';
import { ManualClock } from '../lib/index.ts';
import { SuiteWatch, watchChannel } from './suite-watch.ts';

const waitMs = limits.suiteReportSeconds * 1000;
const line = (name: string): string =>
  `RTC::DtlsTransport::GetNegotiatedSrtpCryptoSuite() | chosen SRTP crypto suite: ${name}`;
const aes256 = line('SRTP_AEAD_AES_256_GCM');
const aes128 = line('SRTP_AES128_CM_SHA1_80');

/** A watch under a clock, and what it said of each transport that was asked for. */
function rig() {
  const clock = new ManualClock();
  const watch = new SuiteWatch(clock);
  const said = new Map<string, Suite>();
  const ask = (...ids: string[]): void => {
    for (const id of ids) {
      watch.ask(id, (suite) => {
        assert.equal(said.has(id), false, `${id} is reported twice`);
        said.set(id, suite);
      });
    }
  };
  return { clock, watch, said, ask };
}

test('each transport gets the line that stands before its connected, however late it is asked for', () => {
  const { watch, said, ask } = rig();
  watch.line(aes256);
  watch.line('RTC::WebRtcTransport::OnDtlsTransportConnected() | DTLS connected');
  watch.connected('a');
  watch.line(aes128);
  watch.connected('b');
  watch.line(line('SRTP_AEAD_AES_128_GCM'));
  watch.connected('c');
  ask('c', 'b', 'a');
  assert.deepEqual([...said].sort(), [
    ['a', 'AEAD_AES_256_GCM'],
    ['b', 'AES_CM_128_HMAC_SHA1_80'],
    ['c', 'AEAD_AES_128_GCM'],
  ]);
});

test('a name that nobody knows is unknown', () => {
  const { watch, said, ask } = rig();
  watch.line(line('SRTP_DOUBLE_AEAD_AES_256_GCM_AEAD_AES_256_GCM'));
  watch.connected('a');
  ask('a');
  assert.equal(said.get('a'), 'unknown');
});

test('other lines of the worker are no suite', () => {
  const { watch } = rig();
  assert.equal(
    watch.line('RTC::DtlsTransport::CreateSslCtx() | setting SRTP crypto suites for DTLS: SRTP_AEAD_AES_256_GCM'),
    false,
  );
  assert.equal(watch.line('chosen SRTP crypto suite: SRTP_AEAD_AES_256_GCM'), false);
  assert.equal(watch.line(aes256), true);
});

test('a line that is dropped leaves its transport unknown after suiteReportSeconds, not before', () => {
  const { clock, watch, said, ask } = rig();
  watch.connected('a');
  ask('a');
  clock.advance(waitMs - 1);
  assert.equal(said.size, 0);
  clock.advance(1);
  assert.equal(said.get('a'), 'unknown');
});

test('a line that is delayed is given to nobody, neither to its own transport nor to the next', () => {
  const { clock, watch, said, ask } = rig();
  watch.connected('weak');
  watch.line(aes256);
  watch.connected('next');
  ask('weak', 'next');
  clock.advance(waitMs);
  assert.deepEqual([...said.values()], ['unknown', 'unknown']);
});

test('a line that comes behind the connected of another is given to nobody', () => {
  const { clock, watch, said, ask } = rig();
  watch.line(aes256);
  watch.line(aes128);
  watch.connected('strong');
  watch.connected('weak');
  ask('strong', 'weak');
  clock.advance(waitMs);
  assert.deepEqual([...said.values()], ['unknown', 'unknown']);
});

test('a line whose connected never came is not given to the next transport', () => {
  const { clock, watch, said, ask } = rig();
  watch.line(aes256);
  watch.other();
  watch.connected('weak');
  ask('weak');
  clock.advance(waitMs);
  assert.equal(said.get('weak'), 'unknown');
});

test('after a disorder nothing is believed for suiteReportSeconds, and everything again after it', () => {
  const { clock, watch, said, ask } = rig();
  watch.connected('first');
  clock.advance(waitMs - 1);
  watch.line(aes256);
  watch.connected('second');
  clock.advance(1);
  watch.line(aes256);
  watch.connected('third');
  ask('first', 'second', 'third');
  clock.advance(waitMs);
  assert.deepEqual(Object.fromEntries(said), { first: 'unknown', second: 'unknown', third: 'AEAD_AES_256_GCM' });
});

test('a transport that was asked for before the pair came gets it then, once', () => {
  const { clock, watch, said, ask } = rig();
  ask('a');
  watch.line(aes128);
  watch.connected('a');
  assert.equal(said.get('a'), 'AES_CM_128_HMAC_SHA1_80');
  clock.advance(2 * waitMs);
});

test('a transport that is closed is forgotten and not reported', () => {
  const { clock, watch, said, ask } = rig();
  ask('a');
  watch.forget('a');
  clock.advance(waitMs);
  watch.line(aes256);
  watch.connected('b');
  watch.forget('b');
  ask('b');
  clock.advance(waitMs);
  assert.deepEqual([...said], [['b', 'unknown']]);
});

test('fifty transports in every order of faults never get a suite that is not theirs', () => {
  // A small generator, so that a failure can be run again: numerical recipes, 32 bits.
  let seed = 20_260_811;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };
  for (let round = 0; round < 150; round += 1) {
    const { clock, watch, said, ask } = rig();
    const truth = new Map<string, Suite>();
    const late: string[] = [];
    for (let index = 0; index < 50; index += 1) {
      const weak = random(2) === 0;
      truth.set(`${index}`, weak ? 'AES_CM_128_HMAC_SHA1_80' : 'AEAD_AES_256_GCM');
      const fault = random(12);
      if (fault === 0) late.push(weak ? aes128 : aes256);
      else if (fault !== 1) watch.line(weak ? aes128 : aes256);
      watch.connected(`${index}`);
      // A line is late by less than the time in which nothing is believed; one later than that is a lost one.
      if (random(3) === 0) for (const each of late.splice(0)) watch.line(each);
      ask(`${index}`);
      clock.advance(random(40));
    }
    clock.advance(waitMs);
    for (const [id, suite] of said) {
      if (suite !== 'unknown') assert.equal(suite, truth.get(id), `round ${round}, transport ${id}`);
    }
    assert.equal(said.size, 50);
  }
});

test('debug lines end in the watch; warnings and errors go on, what had closed meanwhile quietly', () => {
  const { clock, watch, said, ask } = rig();
  const complaints: string[] = [];
  const tap = watchChannel(watch, (level, text) => complaints.push(`${level} ${text}`));
  tap.log('debug', aes256);
  tap.log('debug', 'something else');
  tap.dtlsConnected('a');
  tap.log('warn', 'a warning');
  tap.log('error', 'an error');
  const gone = 'Worker::HandleRequest() | throwing MediaSoupError: Consumer not found [method:consumer.getStats]';
  tap.log('error', gone);
  ask('a');
  clock.advance(waitMs);
  assert.equal(said.get('a'), 'AEAD_AES_256_GCM');
  assert.deepEqual(complaints, ['warn a warning', 'error an error', `debug ${gone}`]);
});
