import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { PeerMessage } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from '../clock.fixture.ts';
import type { FrameLayer } from '../frames/frame-layer.ts';
import { type FramesDecided, PairFrames, type SessionFrames } from './pair-frames.ts';
import type { Fingerprints } from './peer.ts';

const LAYER = 'AES_256_GCM_SHA512_128';
const certificate = (byte: string) => `sha-256 ${Array(32).fill(byte).join(':')}`;

/** What of the frame layer a pair uses; the worker behind it needs a browser. */
class Layer {
  readonly told: string[] = [];
  readonly keys: { sealing?: string; opening?: string } = {};
  /** Callbacks that it keeps for receivers. */
  kept = 0;
  open(_receiver: unknown, _who: string, _mimeType: null, opens?: unknown): () => void {
    if (opens) this.kept += 1;
    return () => {
      this.kept -= 1;
    };
  }
  sealWith(_who: string, _keyId: number, key: Uint8Array): void {
    this.keys.sealing = Buffer.from(key).toString('hex');
  }
  openWith(_who: string, _keyId: number, key: Uint8Array): void {
    this.keys.opening = Buffer.from(key).toString('hex');
  }
  hold = () => void this.told.push('hold');
  clear = () => void this.told.push('clear');
}

/** One end of a pair; what it says goes through whoever stands between. */
class End {
  readonly layer: Layer | null;
  readonly said: PeerMessage[] = [];
  readonly clock = new TestClock();
  readonly frames: PairFrames;
  decided: FramesDecided | null = null;
  differs = 0;
  failed: string | null = null;
  connected = true;
  #wake = Promise.withResolvers<void>();

  constructor(ownId: string, otherId: string, how: { able?: boolean; required?: boolean; secret?: string } = {}) {
    this.layer = how.able === false ? null : new Layer();
    const session: SessionFrames = {
      sessionId: 'session',
      ownId,
      layer: this.layer as FrameLayer | null,
      required: how.required ?? false,
      clock: this.clock,
      secret: async () => (how.secret ? new Uint8Array(Buffer.from(how.secret)) : null),
    };
    this.frames = new PairFrames(
      session,
      { otherId, build: 1 },
      {
        say: (message) => {
          this.said.push(message);
          this.#happened();
        },
        decided: (outcome) => {
          this.decided = outcome;
        },
        differs: () => {
          this.differs += 1;
        },
        failed: ({ name, message }) => {
          this.failed = `${name}: ${message}`;
          this.#happened();
        },
        connected: () => this.connected,
      },
    );
  }

  #happened(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The key that it tells of. */
  async key(): Promise<Extract<PeerMessage, { kind: 'frameKey' }>> {
    for (;;) {
      const found = this.said.find((message) => message.kind === 'frameKey');
      if (found) return found;
      await this.#wake.promise;
    }
  }

  /** Why it failed. */
  async failure(): Promise<string> {
    while (this.failed === null) await this.#wake.promise;
    return this.failed;
  }
}

/** What of WebCrypto is under way: nobody is done before it is. */
let computing = 0;
const { subtle } = globalThis.crypto;
for (const name of ['generateKey', 'importKey', 'exportKey', 'deriveBits', 'digest'] as const) {
  const native = subtle[name] as (...words: unknown[]) => Promise<unknown>;
  const counted = (...words: unknown[]) => {
    computing += 1;
    return native.apply(subtle, words).finally(() => {
      computing -= 1;
    });
  };
  Object.defineProperty(subtle, name, { value: counted });
}

type Between = (message: PeerMessage, from: 'ana' | 'ben') => PeerMessage | null;

/** Lets two ends say all that they have to say. */
async function talk(
  ana: End,
  ben: End,
  fingerprints: Partial<Record<'ana' | 'ben', Fingerprints>> = {},
  between: Between = (each) => each,
) {
  const known = { own: certificate('AA'), theirs: certificate('BB') };
  ana.frames.described(fingerprints.ana ?? known);
  ben.frames.described(fingerprints.ben ?? { own: known.theirs, theirs: known.own });
  for (let quiet = 0; quiet < 5; quiet += 1) {
    do await turn();
    while (computing > 0);
    for (const [from, to, name] of [
      [ana, ben, 'ana'],
      [ben, ana, 'ben'],
    ] as const) {
      for (const message of from.said.splice(0)) {
        quiet = 0;
        const passed = between(message, name);
        if (passed?.kind === 'frameKey' || passed?.kind === 'frameProof' || passed?.kind === 'frameRefused')
          to.frames.take(passed);
      }
    }
  }
}

test('two that can agree on keys, one for each direction, and see one security code', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben);
  const both = { frameLayer: LAYER, frames: { own: true, other: true } };
  assert.deepEqual([ana.decided, ben.decided], [both, both]);
  assert.ok(ana.layer?.keys.sealing && ana.layer.keys.sealing !== ana.layer.keys.opening);
  assert.deepEqual(
    [ana.layer?.keys.sealing, ana.layer?.keys.opening],
    [ben.layer?.keys.opening, ben.layer?.keys.sealing],
  );
  assert.match(ana.frames.securityCode ?? '', /^(\d{5} ?){12}$/);
  assert.equal(ana.frames.securityCode, ben.frames.securityCode);
  assert.deepEqual(ana.layer?.told, ['hold']);
  for (const each of [ana, ben]) each.clock.advance(limits.peerProofSeconds * 2000);
  assert.deepEqual([ana.failed, ben.failed], [null, null]);
});

test('where one cannot, frames go as they are once both know, and both say who could not', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana', { able: false })];
  await talk(ana, ben);
  assert.deepEqual(ana.decided, { frameLayer: null, frames: { own: true, other: false } });
  assert.deepEqual(ben.decided, { frameLayer: null, frames: { own: false, other: true } });
  assert.deepEqual(ana.layer?.told, ['hold', 'clear']);
  assert.equal(ana.frames.securityCode, null);
});

test('where AES-256 is required, one that cannot ends the pair at both ends, and nothing goes in clear', async () => {
  const [ana, ben] = [
    new End('ana', 'ben', { required: true }),
    new End('ben', 'ana', { able: false, required: true }),
  ];
  await talk(ana, ben);
  assert.match(ana.failed ?? '', /^OT_MEDIA_SUITE_REFUSED: .*the other client cannot encrypt frames/);
  assert.match(ben.failed ?? '', /^OT_MEDIA_SUITE_REFUSED: .*this browser cannot encrypt frames/);
  assert.deepEqual([ana.layer?.told, ana.decided, ben.decided], [['hold'], null, null]);
});

const sayUnable: Between = (message) => (message.kind === 'frameKey' ? { ...message, publicKey: null } : message);

test('a server that claims that the other cannot is found in what both say: each can, and was told that the other cannot', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben, {}, sayUnable);
  const said = { frameLayer: null, frames: { own: true, other: false } };
  assert.deepEqual([ana.decided, ben.decided], [said, said]);
  const strict = [new End('ana', 'ben', { required: true }), new End('ben', 'ana', { required: true })] as const;
  await talk(...strict, {}, sayUnable);
  for (const { failed, layer } of strict) {
    assert.match(failed ?? '', /^OT_MEDIA_SUITE_REFUSED/);
    assert.deepEqual(layer?.told, ['hold']);
  }
});

/** What Ana alone is told. */
const sayBenUnable: Between = (message, from) => (from === 'ben' ? sayUnable(message, from) : message);

test('where one end alone is told that the other cannot, that one waits for a proof no longer than it takes, says what it knows, and ends the pair at both', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben, {}, sayBenUnable);
  assert.deepEqual(ana.decided, { frameLayer: null, frames: { own: true, other: false } });
  ben.clock.advance(limits.peerProofSeconds * 1000 - 1);
  assert.deepEqual([ben.decided, ben.failed], [null, null]);
  ben.clock.advance(1);
  assert.deepEqual(ben.decided, { frameLayer: null, frames: { own: true, other: true } });
  assert.match(ben.failed ?? '', /^OT_CREATE_PEER_CONNECTION_FAILED: .*a key and no proof/);
  await talk(ana, ben);
  assert.match(ana.failed ?? '', /^OT_CREATE_PEER_CONNECTION_FAILED: The two clients have different keys/);
});

test('where AES-256 is required, an end that is told that the other cannot refuses, and the other learns of it at once', async () => {
  const [ana, ben] = [new End('ana', 'ben', { required: true }), new End('ben', 'ana', { required: true })];
  await talk(ana, ben, {}, sayBenUnable);
  assert.match(ana.failed ?? '', /^OT_MEDIA_SUITE_REFUSED/);
  assert.match(ben.failed ?? '', /^OT_CREATE_PEER_CONNECTION_FAILED/);
  assert.deepEqual(ben.decided, { frameLayer: null, frames: { own: true, other: true } });
  assert.deepEqual([ana.layer?.told, ben.layer?.told, ana.decided], [['hold'], ['hold'], null]);
});

test('a proof that is kept back ends the pair at the end that waits for it', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben, {}, (message) => (message.kind === 'frameProof' ? null : message));
  ana.clock.advance(limits.peerProofSeconds * 1000);
  await talk(ana, ben);
  assert.ok(ana.failed && ben.failed);
});

test('while the two are not connected a proof is waited for, since what the other says may be on its way for long', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  ana.connected = false;
  await talk(ana, ben, {}, (message) => (message.kind === 'frameProof' ? null : message));
  for (let waits = 0; waits < 3; waits += 1) ana.clock.advance(limits.peerProofSeconds * 1000);
  assert.deepEqual([ana.decided, ana.failed], [null, null]);
  ana.connected = true;
  ana.clock.advance(limits.peerProofSeconds * 1000);
  assert.match(ana.failed ?? '', /a key and no proof/);
});

test('an end that is closed waits for nothing', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben, {}, sayBenUnable);
  ben.frames.close();
  ben.clock.advance(limits.peerProofSeconds * 1000);
  assert.deepEqual([ben.decided, ben.failed, ben.said], [null, null, []]);
});

test('a pair that is over leaves nothing of its receivers at the layer, which lives as long as the session', () => {
  const ana = new End('ana', 'ben');
  for (let receivers = 0; receivers < 3; receivers += 1) ana.frames.open({} as RTCRtpReceiver);
  ana.frames.close();
  assert.equal(ana.layer?.kept, 0);
});

/** Somebody between the two who puts keys of its own in the place of theirs. */
async function swapper(ends: readonly ('ana' | 'ben')[]): Promise<Between> {
  const own = new End('mallory', 'x');
  own.frames.described({ own: certificate('CC'), theirs: null });
  const hers = await own.key();
  return (message, from) =>
    message.kind === 'frameKey' && ends.includes(from) ? { ...message, publicKey: hers.publicKey } : message;
}

test('a key that is swapped on one side, or on both, is an error at both ends, and no frame opens', async () => {
  for (const sides of [['ana'], ['ana', 'ben']] as const) {
    const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
    await talk(ana, ben, {}, await swapper(sides));
    assert.deepEqual([ana.decided, ben.decided], [null, null]);
    assert.ok(ana.differs > 0 && ben.differs > 0);
    assert.notEqual(ana.layer?.keys.sealing, ben.layer?.keys.opening);
    assert.notEqual(ana.frames.securityCode, ben.frames.securityCode);
  }
});

test('a fingerprint that is swapped in one description is never agreed on', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben, { ben: { own: certificate('BB'), theirs: certificate('CC') } });
  assert.deepEqual([ana.decided, ben.decided], [null, null]);
  assert.equal(ben.layer?.keys.sealing, undefined);
});

test('two secrets make different keys, one secret makes the same; without the secret nobody has them', async () => {
  const same = [new End('ana', 'ben', { secret: 'one' }), new End('ben', 'ana', { secret: 'one' })] as const;
  await talk(...same);
  assert.ok(same.every(({ decided }) => decided?.frameLayer === LAYER));
  for (const other of ['another', undefined]) {
    const [ana, ben] = [new End('ana', 'ben', { secret: 'one' }), new End('ben', 'ana', { secret: other })];
    await talk(ana, ben);
    assert.deepEqual([ana.decided, ben.decided, ana.differs, ben.differs], [null, null, 1, 1]);
  }
});

test('a key for a connection that was given up is passed over, the next one counts', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  const old = new End('ben', 'ana');
  old.frames.described({ own: certificate('DD'), theirs: null });
  ana.frames.take(await old.key());
  await talk(ana, ben);
  assert.equal(ana.decided?.frameLayer, LAYER);
});

test('an offer that is taken back does not make another key', async () => {
  const ana = new End('ana', 'ben');
  for (const own of [certificate('AA'), null, certificate('AA')]) ana.frames.described({ own, theirs: null });
  await ana.key();
  // A second one would have been begun before this.
  const later = new End('ben', 'ana');
  later.frames.described({ own: certificate('BB'), theirs: null });
  await later.key();
  assert.equal(ana.said.length, 1);
});

test('what is no key of the curve ends the pair, and after its end nothing is told', async () => {
  const ana = new End('ana', 'ben');
  ana.frames.described({ own: certificate('AA'), theirs: certificate('BB') });
  ana.frames.take({ kind: 'frameKey', build: 1, fingerprint: certificate('BB'), publicKey: 'A'.repeat(130) });
  assert.match(await ana.failure(), /^OT_CREATE_PEER_CONNECTION_FAILED/);
  const ben = new End('ben', 'ana');
  ben.frames.close();
  ben.frames.described({ own: certificate('AA'), theirs: certificate('BB') });
  ben.frames.take({ kind: 'frameKey', build: 1, fingerprint: certificate('BB'), publicKey: null });
  assert.deepEqual([ben.said, ben.decided, ben.failed], [[], null, null]);
});

test('another certificate after keys were agreed on ends the pair', async () => {
  const [ana, ben] = [new End('ana', 'ben'), new End('ben', 'ana')];
  await talk(ana, ben);
  ana.frames.described({ own: certificate('AA'), theirs: certificate('BB') });
  assert.equal(ana.failed, null);
  ana.frames.described({ own: certificate('AA'), theirs: certificate('CC') });
  assert.match(ana.failed ?? '', /another certificate/);
});
