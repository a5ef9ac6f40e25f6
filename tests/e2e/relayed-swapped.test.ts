/**
 * Relayed sessions whose server is not honest: it changes what two browsers say to each other about their keys and
 * certificates. Both are looked at: what they tell the application, and what frames they open.
 */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { FrameAgreeing } from '../../packages/client/src/frames/agreement.ts';
import { toBase64Url } from '../../packages/client/src/frames/base64url.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type CapturedPacket, captureTraffic } from '../rig/capture.ts';
import { frameSpy } from '../rig/frame-spy.ts';
import { Impostor, type Meddle, MeddledLine } from '../rig/meddler.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Visitor } from '../rig/playground.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually, within } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { assertPicture, small } from './calls.ts';

const code = /^(\d{5} ){11}\d{5}$/;
/** So much comes of each, before it is said that nothing of it was opened. */
const PACKETS = 40;
/** An application learns of an attack in that time. */
const TOLD_MS = 14_000;

let line: MeddledLine;
let server: Server;
let customer: Customer;
let site: Site;
let browser: TestBrowser;

before(async () => {
  line = await MeddledLine.open();
  server = await startServer({ through: line, mediaWorkers: 1 });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  browser = await launchBrowser('chromium');
});

after(async () => {
  await browser?.close();
  site?.close();
  await server?.stop();
});

/** Two who publish, and do not subscribe yet. */
interface Two {
  readonly sessionId: string;
  readonly ana: Participant;
  readonly ben: Participant;
  readonly ofAna: string;
  readonly ofBen: string;
  close(): Promise<unknown>;
}

interface TwoOptions {
  readonly encryptionSecret?: string;
  /** Default: the same as Ana has. */
  readonly bensBrowser?: TestBrowser;
}

/** @param meddling with what the two say to each other in a session */
async function two(
  meddling: (sessionId: string) => Meddle,
  { encryptionSecret, bensBrowser = browser }: TwoOptions = {},
): Promise<Two> {
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  line.meddle = meddling(sessionId);
  const open = async (its: TestBrowser) => {
    const each = await Participant.open(its, site, frameSpy('record'));
    await each.join({ ...customer.ticket(sessionId), ...(encryptionSecret ? { encryptionSecret } : {}) }, null);
    return each;
  };
  const [ana, ben] = await Promise.all([open(browser), open(bensBrowser)]);
  const [ofAna, ofBen] = await Promise.all([ana.publish(small), ben.publish(small)]);
  await Promise.all([
    ana.event('session', 'streamCreated', { stream: ofBen }),
    ben.event('session', 'streamCreated', { stream: ofAna }),
  ]);
  return { sessionId, ana, ben, ofAna, ofBen, close: () => Promise.all([ana, ben].map((each) => each.close())) };
}

/** Two of whom each agrees with somebody between them. */
async function deceive(options: TwoOptions = {}): Promise<{ impostor: Impostor; two: Two }> {
  let impostor: Impostor | undefined;
  const deceived = await two((sessionId) => {
    impostor = new Impostor(sessionId);
    return impostor.meddle;
  }, options);
  return { impostor: impostor as Impostor, two: deceived };
}

/** Each subscribes to the other, and a lot of packets come. */
async function exchange({ ana, ben, ofAna, ofBen }: Two): Promise<void> {
  // One after the other: what two offers that meet come to is not what is asked here.
  await ben.subscribe(ofAna);
  await ana.subscribe(ofBen);
  for (const [at, stream] of [
    [ben, ofAna],
    [ana, ofBen],
  ] as const)
    await eventually(
      'packets',
      () => at.inbound(stream, 'video'),
      ({ packetsReceived }) => Number(packetsReceived) > PACKETS,
    );
}

/** The frames that a page sealed, and how many it opened: those become smaller. */
async function framesAt({ page }: Participant) {
  const all = await page.evaluate(() => window.frameSpy);
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
  return {
    sealed: all.flatMap(({ before, after, added }) =>
      added > 0 ? [{ before: Buffer.from(before, 'base64'), after: bytes(after) }] : [],
    ),
    opened: all.filter(({ added }) => added < 0).length,
  };
}

async function codes({ ana, ben }: Two): Promise<(string | null)[]> {
  const at = ({ page }: Participant, { connectionId }: Participant) =>
    page.evaluate((id) => {
      const session = window.rig.session() as unknown as { securityCode(connection: unknown): string | null };
      return session.securityCode(window.rig.connection(id));
    }, connectionId);
  return Promise.all([at(ana, ben), at(ben, ana)]);
}

/** Neither opened a frame of the other, or shows anything. */
async function assertNothingSeen({ ana, ben, ofAna, ofBen }: Two): Promise<void> {
  for (const [at, stream] of [
    [ana, ofBen],
    [ben, ofAna],
  ] as const) {
    assert.equal((await framesAt(at)).opened, 0);
    assert.equal(Number((await at.inbound(stream, 'video')).framesDecoded ?? 0), 0);
    const [red, green, blue] = await at.glance(stream);
    assert.ok(red + green + blue < 60, `a picture of ${[red, green, blue]}`);
  }
}

test('of an honest server both see one code, and open and show what the other sends', async () => {
  const honest = await two(
    () =>
      ({ message }) =>
        message,
  );
  await exchange(honest);
  const [one, other] = await codes(honest);
  assert.match(one ?? '', code);
  assert.equal(one, other);
  for (const each of [honest.ana, honest.ben]) assert.ok((await framesAt(each)).opened > PACKETS / 4);
  assertPicture(await honest.ben.look(honest.ofAna), 'chromium');
  await honest.close();
});

test('a server that agrees with each in the other’s name can read their frames, and both see other codes', async () => {
  const { impostor, two: deceived } = await deceive();
  await exchange(deceived);
  const seen = await codes(deceived);
  for (const each of seen) assert.match(each ?? '', code);
  assert.notEqual(seen[0], seen[1]);
  // It left their DTLS alone and did not seal their frames anew.
  await assertNothingSeen(deceived);
  const { sealed } = await framesAt(deceived.ana);
  const read = await impostor.read(
    deceived.ana.connectionId,
    sealed.map((each) => each.after),
  );
  assert.deepEqual(
    read,
    sealed.map((each) => each.before),
  );
  assert.ok(sealed.length > PACKETS / 4);
  await deceived.close();
});

test('with a secret that it does not have the same server is told apart by name, and reads nothing', async () => {
  const { impostor, two: kept } = await deceive({ encryptionSecret: 'what the two of us know' });
  await exchange(kept);
  await Promise.all([
    kept.ana.event(kept.ofBen, 'encryptionSecretMismatch'),
    kept.ben.event(kept.ofAna, 'encryptionSecretMismatch'),
  ]);
  await assertNothingSeen(kept);
  const { sealed } = await framesAt(kept.ana);
  assert.ok(sealed.length > PACKETS / 4);
  const read = await impostor.read(
    kept.ana.connectionId,
    sealed.map((each) => each.after),
  );
  assert.deepEqual(read, []);
  await kept.close();
});

/** Each subscribes to the other, and is told in time why it cannot. Nothing is seen of the other. */
async function assertRefused(
  swapping: (ana: () => string) => Meddle,
  why: RegExp,
  options: TwoOptions = {},
): Promise<void> {
  let ana = '';
  const swapped = await two(() => swapping(() => ana), options);
  ana = swapped.ana.connectionId;
  const told = [swapped.ana.subscribe(swapped.ofBen), swapped.ben.subscribe(swapped.ofAna)];
  const [atAna, atBen] = await within(TOLD_MS, 'an error at both ends', Promise.allSettled(told));
  for (const each of [atAna, atBen]) {
    assert.equal(each?.status, 'rejected');
    assert.match((each as PromiseRejectedResult).reason.message, why);
  }
  for (const each of [swapped.ana, swapped.ben]) {
    assert.equal((await framesAt(each)).opened, 0);
    // Nothing goes between them any more.
    assert.deepEqual(await each.stats('peer-connection'), []);
  }
  await swapped.close();
}

test('a key that is swapped on one side is an error at both ends, and nothing of the other is opened', () =>
  assertRefused(
    (ana) =>
      async ({ from, message }) => {
        if (message.kind !== 'frameKey' || from !== ana()) return message;
        const { end } = await FrameAgreeing.begin(from, message.fingerprint);
        return { ...message, publicKey: toBase64Url(end.publicKey) };
      },
    /OT_CREATE_PEER_CONNECTION_FAILED: The two clients have different keys/,
  ));

/** Ana is told that Ben cannot encrypt frames; what she says of herself he is told as it is. */
async function downgraded(more: Meddle = ({ message }) => message): Promise<Two> {
  let ben = '';
  const deceived = await two(() => (said) => {
    const { from, message } = said;
    return message.kind === 'frameKey' && from === ben ? { ...message, publicKey: null } : more(said);
  });
  ben = deceived.ben.connectionId;
  return deceived;
}

const unproven = /a key and no proof that it uses it/;

/** Ben watches Ana's stream, until he is told by name why he cannot. */
async function untilTold({ ben, ofAna }: Two): Promise<void> {
  const since = await ben.mark();
  await ben.subscribe(ofAna);
  const { detail } = await ben.event('OT', 'exception', { since, ms: TOLD_MS });
  assert.match(String(detail.message), unproven);
  await ben.event(ofAna, 'destroyed', { since });
  assert.equal((await framesAt(ben)).opened, 0);
}

test('where one end is told that the other cannot encrypt frames, the signed record has what both say, and the pair ends at both by name', async () => {
  const deceived = await downgraded();
  const { ana, ben, ofAna, sessionId } = deceived;
  const since = await ana.mark();
  await untilTold(deceived);
  // She does not subscribe: nothing but this tells her application.
  const { detail } = await ana.event('OT', 'exception', { since });
  assert.match(
    String(detail.message),
    new RegExp(`does not reach the connection ${ben.connectionId}: .*different keys`),
  );
  for (const each of [ana, ben]) assert.deepEqual(await each.stats('peer-connection'), []);
  const { legs, transcript } = await customer.signedSecurity(sessionId);
  const [atBen, atAna] = [
    { own: true, other: true },
    { own: true, other: false },
  ];
  assert.deepEqual(
    legs.map((leg) => [leg.streamId, leg.agree, leg.frameLayer, leg.framesSaidByClient, leg.framesSaidByPeer]),
    [[ofAna, false, null, atBen, atAna]],
  );
  const words = transcript[0]?.map(({ end, connectionId, build, suite, frameLayer, frames }) => ({
    end,
    connectionId,
    build,
    suite,
    frameLayer,
    frames,
  }));
  const said = { build: 1, suite: legs[0]?.suiteReportedByPeer, frameLayer: null };
  // All that two stock browsers have between them.
  assert.match(String(said.suite), /128/);
  assert.deepEqual(words, [
    { end: 'peer', connectionId: ana.connectionId, ...said, frames: atAna },
    { end: 'client', connectionId: ben.connectionId, ...said, frames: atBen },
  ]);
  await deceived.close();
});

const UDP = 17;

/** Whether it is RTP (RFC 7983, section 7; RFC 5761, section 4), over UDP and IPv4. */
function isRtp({ bytes }: CapturedPacket): boolean {
  if (bytes.readUInt8(0) >> 4 !== 4 || bytes.readUInt8(9) !== UDP) return false;
  const payload = bytes.subarray((bytes.readUInt8(0) & 15) * 4 + 8);
  if (payload.length < 12) return false;
  const [first, type] = [payload.readUInt8(0), payload.readUInt8(1)];
  return first >= 128 && first <= 191 && !(type >= 192 && type <= 223);
}

test('under require-aes256 the same claim towards one end is refused at both, and no packet of media goes between them', async () => {
  await customer.setPolicy('require-aes256');
  const deceived = await downgraded();
  await customer.setPolicy('prefer-aes256');
  const { ana, ben, ofAna, sessionId } = deceived;
  const since = await ana.mark();
  const capture = await captureTraffic();
  await assert.rejects(ben.subscribe(ofAna), /OT_CREATE_PEER_CONNECTION_FAILED: The two clients have different keys/);
  const { detail } = await ana.event('OT', 'exception', { since });
  assert.match(String(detail.message), /the other client cannot encrypt frames/);
  for (const each of [ana, ben]) assert.deepEqual(await each.stats('peer-connection'), []);
  assert.deepEqual((await capture.stop()).filter(isRtp), []);
  const { legs } = await customer.security(sessionId);
  assert.deepEqual(
    legs.map(({ state, framesSaidByClient }) => [state, framesSaidByClient]),
    [['refused', { own: true, other: true }]],
  );
  await deceived.close();
});

/** Ana sends to nobody any more, though nobody told her that the pair has ended. */
async function endKeptBack(): Promise<void> {
  const deceived = await downgraded(({ message }) =>
    message.kind === 'frameRefused'
      ? { kind: 'candidate', build: 1, candidate: '', sdpMid: null, sdpMLineIndex: 0, usernameFragment: null }
      : message,
  );
  const { ana } = deceived;
  await untilTold(deceived);
  let before = -1;
  await eventually(
    'no packet of hers to go out',
    async () => {
      const all = await ana.stats('outbound-rtp');
      const now = all.reduce((sum, { packetsSent }) => sum + Number(packetsSent), 0);
      const more = now !== before;
      before = now;
      return more;
    },
    (more) => !more,
  );
  await deceived.close();
}

/** One of nobody who takes part. */
const otherFingerprint = `sha-256 ${randomBytes(32).toString('hex').toUpperCase().match(/../g)?.join(':')}`;

function withOtherCertificate(ana: () => string, everywhere: boolean): Meddle {
  return ({ from, message }) => {
    if (from !== ana()) return message;
    if (message.kind === 'description')
      return { ...message, sdp: message.sdp.replace(/^a=fingerprint:[^\r\n]*/gm, `a=fingerprint:${otherFingerprint}`) };
    return everywhere && message.kind === 'frameKey' ? { ...message, fingerprint: otherFingerprint } : message;
  };
}

const handshakeFailed =
  /OT_CREATE_PEER_CONNECTION_FAILED: The handshake with the other client failed: .* another certificate/;

test('a certificate that is swapped in one end’s description is an error at both ends, and no media comes', () =>
  assertRefused((ana) => withOtherCertificate(ana, false), handshakeFailed));

async function certificateTowardsFirefox(): Promise<void> {
  const firefox = await launchBrowser('firefox');
  await assertRefused((ana) => withOtherCertificate(ana, false), handshakeFailed, { bensBrowser: firefox });
  await firefox.close();
}

/** What two people see in the panel of the playground. */
async function shownInPlayground(): Promise<void> {
  const ana = await Visitor.open(browser, server.url);
  await ana.choose('A new one, relayed');
  const link = await ana.join('Ana');
  line.meddle = new Impostor(new URL(link).searchParams.get('session') ?? '').meddle;
  const ben = await Visitor.open(browser, link);
  await ben.join('Ben');
  const shown = await Promise.all(
    [ana, ben].map(async (each) => {
      await each.press('Encryption: AES-256, both ends');
      await each.says('Security code');
      return each.page.$eval('.leg-digits', ({ textContent }) => textContent ?? '');
    }),
  );
  for (const each of shown) assert.match(each, code);
  assert.notEqual(shown[0], shown[1]);
  await Promise.all([ana, ben].map((each) => each.close()));
}

/** Of the first who says anything to the other. */
async function certificateInPlayground(): Promise<void> {
  let first = '';
  const swap = withOtherCertificate(() => first, false);
  const ana = await Visitor.open(browser, server.url);
  await ana.choose('A new one, relayed');
  const link = await ana.join('Ana');
  line.meddle = (said) => {
    first ||= said.from;
    return swap(said);
  };
  const ben = await Visitor.open(browser, link);
  await ben.join('Ben');
  for (const each of [ana, ben]) {
    await each.says('The handshake with the other client failed: one of the two has another certificate');
    assert.ok(!(await each.page.content()).includes('have a secret'), 'nobody is told that a secret is missing');
  }
  await Promise.all([ana, ben].map((each) => each.close()));
}

const cases = [
  {
    name: 'a certificate that is swapped in all that one end says is an error at both ends too',
    run: () =>
      assertRefused(
        (ana) => withOtherCertificate(ana, true),
        /OT_CREATE_PEER_CONNECTION_FAILED: The (handshake with the other client failed|two clients have different keys)/,
      ),
  },
  {
    name: 'a Chromium’s certificate that is swapped towards a Firefox is the same error at both',
    run: certificateTowardsFirefox,
  },
  { name: 'who is not told that its pair has ended sends nothing any more', run: endKeptBack },
  { name: 'in the playground a certificate that is swapped is said to be, at both', run: certificateInPlayground },
  { name: 'in the playground both see other codes, where a server agrees with each', run: shownInPlayground },
];

for (const { name, run } of sample('swapped in a relayed session', cases, 1)) test(name, run);
