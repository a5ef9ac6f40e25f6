import assert from 'node:assert/strict';
import { createECDH, createHash, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import { AgreementInvalid, FrameAgreeing, type FrameAgreement, type FrameEnd, sameBytes } from './agreement.ts';
import { FrameDropped, FrameOpener, FrameSealer } from './seal-frames.ts';
import { type Bytes, FrameKey } from './sframe.ts';

const sessionId = '2_MX4xMjM0NX5-';
const fingerprint = (byte: string) => `sha-256 ${Array(32).fill(byte).join(':')}`;
const [ofAna, ofBen, ofEve] = [fingerprint('AA'), fingerprint('BB'), fingerprint('EE')];
const begin = (name: string, print: string) => FrameAgreeing.begin(name, print);
const frame = Uint8Array.from([0x78, 1, 2, 3]);

async function agreed(a: FrameAgreeing, b: FrameAgreeing, secrets: readonly (Bytes | null)[] = [null, null]) {
  const [secret, other] = secrets as [Bytes | null, Bytes | null];
  return Promise.all([a.with({ sessionId, other: b.end, secret }), b.with({ sessionId, other: a.end, secret: other })]);
}

/** Whether what one seals the other opens. */
async function opens(from: FrameAgreement, to: FrameAgreement): Promise<boolean> {
  const [sealer, opener] = [new FrameSealer(), new FrameOpener()];
  sealer.use(await FrameKey.derive(from.sending, 0n));
  opener.add(await FrameKey.derive(to.receiving, 0n));
  const sealed = await sealer.seal('opus', frame);
  return opener.open('opus', 1, sealed).then(
    (opened) => sameBytes(opened, frame),
    (error) => {
      assert.ok(error instanceof FrameDropped);
      return false;
    },
  );
}

test('two ends have the same keys, one for each direction, proofs that fit and one security code', async () => {
  const [a, b] = await agreed(await begin('ana', ofAna), await begin('ben', ofBen));
  assert.deepEqual(a.sending, b.receiving);
  assert.deepEqual(a.receiving, b.sending);
  assert.ok(!sameBytes(a.sending, a.receiving));
  assert.equal(a.sending.length, 32);
  assert.deepEqual([a.proof, a.proofExpected], [b.proofExpected, b.proof]);
  assert.ok(!sameBytes(a.proof, a.proofExpected));
  assert.equal(a.securityCode, b.securityCode);
  assert.match(a.securityCode, /^(\d{5} ){11}\d{5}$/);
  assert.ok((await opens(a, b)) && (await opens(b, a)));
});

test('each agreement is fresh: the same two have other keys and another code the next time', async () => {
  const [first] = await agreed(await begin('ana', ofAna), await begin('ben', ofBen));
  const [second] = await agreed(await begin('ana', ofAna), await begin('ben', ofBen));
  assert.ok(!sameBytes(first.sending, second.sending));
  assert.notEqual(first.securityCode, second.securityCode);
});

test('what one end alone is told wrongly leaves the two with different keys, proofs that do not fit, and other codes', async () => {
  const eve = await begin('ben', ofEve);
  for (const wrong of [{ fingerprint: ofEve }, { publicKey: eve.end.publicKey }, { connectionId: 'bea' }]) {
    const [ana, ben] = await Promise.all([begin('ana', ofAna), begin('ben', ofBen)]);
    const right = await ben.with({ sessionId, other: ana.end, secret: null });
    const misled = await ana.with({ sessionId, other: { ...ben.end, ...wrong }, secret: null });
    assert.equal(await opens(misled, right), false);
    assert.equal(await opens(right, misled), false);
    assert.ok(!sameBytes(misled.proof, right.proofExpected));
    if (!wrong.connectionId) assert.notEqual(misled.securityCode, right.securityCode);
  }
  const [ana, ben] = await Promise.all([begin('ana', ofAna), begin('ben', ofBen)]);
  const elsewhere = await ana.with({ sessionId: 'another', other: ben.end, secret: null });
  assert.equal(await opens(elsewhere, await ben.with({ sessionId, other: ana.end, secret: null })), false);
});

test('who swaps both ends consistently is seen by the codes, and kept out by the secret of the application', async () => {
  const all = () =>
    Promise.all([begin('ana', ofAna), begin('ben', ofBen), begin('ben', ofEve), begin('ana', ofEve)] as const);
  const [ana, ben, asBen, asAna] = await all();
  const [withAna, withBen] = [await agreed(ana, asBen), await agreed(ben, asAna)];
  // Without a secret Eve has the keys of both, and only the codes tell.
  assert.ok((await opens(withAna[0], withAna[1])) && (await opens(withBen[0], withBen[1])));
  assert.notEqual(withAna[0].securityCode, withBen[0].securityCode);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const [hers, , eves] = await all();
  const [kept, out] = await agreed(hers, eves, [secret, null]);
  assert.equal(await opens(kept, out), false);
  assert.ok(!sameBytes(kept.proofExpected, out.proof));
  const [a, b] = await agreed(await begin('ana', ofAna), await begin('ben', ofBen), [secret, secret]);
  assert.ok(await opens(a, b));
});

test('an agreement is made once, also when the other end is told of again: no counter begins anew under its keys', async () => {
  const [ana, ben] = await Promise.all([begin('ana', ofAna), begin('ben', ofBen)]);
  const what = { sessionId, other: ben.end, secret: null };
  const both = await Promise.allSettled([ana.with(what), ana.with(what)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  await assert.rejects(ana.with(what), RangeError);
});

test('the keys are those that another program computes of the same words', async () => {
  const [ana, peer] = [await begin('ana', ofAna), createECDH('secp384r1')];
  const ben = { connectionId: 'ben', fingerprint: ofBen.toLowerCase(), publicKey: new Uint8Array(peer.generateKeys()) };
  const field = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const fields = (...all: (Uint8Array | string)[]) =>
    Buffer.concat(all.map((each) => field(Buffer.from(each as string))));
  const secret = new Uint8Array(32).fill(9);
  const ecdh = peer.computeSecret(ana.end.publicKey);
  const name = 'Cloister relayed frames 1';
  const ends = [
    ['ana', ofAna, ana.end.publicKey],
    ['ben', ofBen, ben.publicKey],
  ] as const;
  const said = ends.toSorted((a, b) => Buffer.compare(a[2], b[2])).flat();
  const salt = createHash('sha512')
    .update(fields(name, sessionId, ...said))
    .digest();
  const derive = (word: string, from: Uint8Array) =>
    new Uint8Array(hkdfSync('sha512', fields(ecdh, secret), salt, fields(name, word, from), 32));
  const agreement = await ana.with({ sessionId, other: ben, secret });
  assert.deepEqual(agreement.sending, derive('frames', ana.end.publicKey));
  assert.deepEqual(agreement.receiving, derive('frames', ben.publicKey));
  assert.deepEqual(agreement.proof, derive('proof', ana.end.publicKey));
});

test('a key that is no point, a fingerprint that is none, and an end that is oneself are refused by name', async () => {
  const [own, ben] = [await begin('ana', ofAna), await begin('ben', ofBen)];
  const cases: [Partial<FrameEnd>, RegExp][] = [
    [{ publicKey: new Uint8Array() }, /no point/],
    [{ publicKey: new Uint8Array(97) }, /no point/],
    [{ publicKey: new Uint8Array(97).fill(4) }, /no point/],
    [{ publicKey: ben.end.publicKey.subarray(0, 96) }, /no point/],
    [{ connectionId: 'ana' }, /this end’s connection/],
    [{ connectionId: '\ud800' }, /no text/],
    [{ fingerprint: '' }, /no fingerprint/],
    [{ fingerprint: `sha-1 ${Array(20).fill('AA').join(':')}` }, /no fingerprint/],
    [{ fingerprint: ofBen.slice(0, -3) }, /no fingerprint/],
    [{ fingerprint: `${ofBen} x` }, /no fingerprint/],
    [{ fingerprint: ofBen.replaceAll(':', '-') }, /no fingerprint/],
  ];
  for (const [wrong, why] of cases) {
    const ana = await begin('ana', ofAna);
    const call = ana.with({ sessionId, other: { ...ben.end, ...wrong }, secret: null });
    await assert.rejects(call, (error: Error) => error instanceof AgreementInvalid && why.test(error.message));
  }
  const mirrored = own.with({ sessionId, other: { ...ben.end, publicKey: own.end.publicKey }, secret: null });
  await assert.rejects(mirrored, /this end’s key/);
  const empty = (await begin('ana', ofAna)).with({ sessionId, other: ben.end, secret: new Uint8Array() });
  await assert.rejects(empty, /secret is empty/);
  await assert.rejects(begin('ana', 'md5 AA'), AgreementInvalid);
  // Two names that are the same bytes, so that both directions would be taken for one.
  await assert.rejects(begin('\ud801', ofAna), AgreementInvalid);
});
