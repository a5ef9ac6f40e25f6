import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { FrameKeyShape } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from '../clock.fixture.ts';
import { EndToEnd, self } from './end-to-end.ts';
import type { Bytes } from './sframe.ts';

const [FIRST, SECOND] = ['the first secret', 'the second secret'] as const;
const leadMs = limits.frameKeyLeadSeconds * 1000;
const graceMs = limits.frameKeyGraceSeconds * 1000;

const idOf = (keyId: number, baseKey: Bytes) => `${keyId}:${Buffer.from(baseKey).toString('hex')}`;

/** One client, as far as its keys go: what seals now, and what opens whose frames. */
class Member {
  readonly name: string;
  readonly told: [string, boolean][] = [];
  readonly announced: FrameKeyShape[] = [];
  readonly sealed: string[] = [];
  readonly opens = new Map<string, Set<string>>();
  readonly keys: EndToEnd;

  constructor(group: Group, name: string, secret: string) {
    this.name = name;
    this.keys = new EndToEnd({
      sessionId: 'session',
      secret,
      clock: group.clock,
      announce: async (key) => group.announce(this, key),
      matches: (connectionId, matches) => this.told.push([connectionId, matches]),
      keys: {
        sealWith: (who, keyId, baseKey) => {
          assert.equal(who, self);
          this.sealed.push(idOf(keyId, baseKey));
        },
        openWith: (who, keyId, baseKey) => this.#of(who).add(idOf(keyId, baseKey)),
        stopKeys: (who, keyIds) => {
          for (const key of [...this.#of(who)])
            if (keyIds.includes(Number(key.split(':')[0]))) this.#of(who).delete(key);
        },
        forget: (who) => void this.opens.delete(who),
      },
    });
  }

  #of(who: string): Set<string> {
    const known = this.opens.get(who) ?? new Set();
    this.opens.set(who, known);
    return known;
  }

  /** Whether this one opens what the other seals now. */
  understands(other: Member): boolean {
    return this.opens.get(other.name)?.has(other.sealed.at(-1) as string) ?? false;
  }
}

/** Some clients, and a server that tells each of the keys of the others. */
class Group {
  readonly clock = new TestClock();
  readonly members: Member[] = [];
  refuses = false;

  async add(name: string, secret: string = FIRST): Promise<Member> {
    const member = new Member(this, name, secret);
    this.members.push(member);
    for (const { name: connectionId, announced } of this.members) {
      const key = announced.at(-1);
      if (key) await member.keys.heard({ connectionId, key });
    }
    await member.keys.begin(name);
    await this.settled();
    return member;
  }

  announce(from: Member, key: FrameKeyShape): void {
    if (this.refuses) throw new Error('refused');
    from.announced.push(key);
    for (const other of this.members) if (other !== from) void other.keys.heard({ connectionId: from.name, key });
  }

  /** Until all that was told is done: a key that makes no news waits behind it. */
  async settled(): Promise<void> {
    for (const { keys } of this.members)
      await keys.heard({ connectionId: '-', key: { keyId: -1, nonce: '', proof: '' } }).catch(() => undefined);
    await turn();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settled();
  }
}

test('all who have the secret understand each other, whoever came first', async () => {
  const group = new Group();
  const members = [await group.add('ana'), await group.add('ben'), await group.add('eva')];
  for (const one of members) for (const other of members) if (one !== other) assert.ok(one.understands(other));
  assert.deepEqual(members[0]?.told, [
    ['ben', true],
    ['eva', true],
  ]);
});

test('who has another secret is told at once, and understands nobody', async () => {
  const group = new Group();
  const [ana, mallory] = [await group.add('ana'), await group.add('mallory', SECOND)];
  assert.ok(!ana.understands(mallory) && !mallory.understands(ana));
  assert.deepEqual([ana.told, mallory.told], [[['mallory', false]], [['ana', false]]]);
});

test('a changed secret leaves no gap for those who change it in time, and shuts the others out', async () => {
  const group = new Group();
  const [ana, ben, removed] = [await group.add('ana'), await group.add('ben'), await group.add('removed')];
  ana.told.length = 0;
  ben.told.length = 0;
  await ana.keys.change(SECOND);
  await group.pass(leadMs / 2);
  assert.ok(ben.understands(ana) && ana.understands(ben), 'before the other has changed it');
  await ben.keys.change(SECOND);
  await group.settled();
  assert.ok(ben.understands(ana) && ana.understands(ben), 'when both have changed it');
  await group.pass(leadMs / 2);
  assert.ok(ben.understands(ana) && ana.understands(ben), 'when the first seals with it');
  await group.pass(leadMs / 2);
  assert.ok(ben.understands(ana) && ana.understands(ben), 'when both seal with it');
  assert.ok(!removed.understands(ana) && !removed.understands(ben), 'the one who has it not');
  await group.pass(leadMs);
  assert.deepEqual(removed.told.slice(-2), [
    ['ana', false],
    ['ben', false],
  ]);
  await group.pass(graceMs);
  assert.ok(!ana.understands(removed) && !ben.understands(removed), 'nor is it understood');
  assert.deepEqual([ana.told, ben.told], [[['removed', false]], [['removed', false]]]);
});

test('who takes up the secret late is understood again, and is told', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  await ana.keys.change(SECOND);
  await group.pass(graceMs);
  assert.ok(!ana.understands(ben) && !ben.understands(ana));
  await ben.keys.change(SECOND);
  await group.pass(leadMs);
  assert.ok(ana.understands(ben) && ben.understands(ana));
  assert.deepEqual(
    [ana.told.at(-1), ben.told.at(-1)],
    [
      ['ben', true],
      ['ana', true],
    ],
  );
});

test('a secret that is set back opens what was sealed with it all the time', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  await ben.keys.change(SECOND);
  await group.pass(graceMs);
  assert.ok(!ben.understands(ana));
  await ben.keys.change(FIRST);
  await group.pass(graceMs);
  assert.ok(ben.understands(ana) && ana.understands(ben));
});

test('a secret that the server refuses to tell of changes nothing', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  group.refuses = true;
  await assert.rejects(ana.keys.change(SECOND), /refused/);
  await assert.rejects(ana.keys.change('short'), RangeError);
  await group.pass(graceMs);
  assert.ok(ana.understands(ben) && ben.understands(ana));
});

test('no two keys of anybody are the same, and their ids rise', async () => {
  const group = new Group();
  const ana = await group.add('ana');
  const ben = await group.add('ben');
  for (const work of [() => ana.keys.renew(), () => ana.keys.change(FIRST), () => ana.keys.change(SECOND)]) {
    await work();
    await group.pass(leadMs);
  }
  assert.deepEqual(
    ana.announced.map(({ keyId }) => keyId),
    [0, 1, 2, 3],
  );
  const keys = [...ana.sealed, ...ben.sealed].map((key) => key.split(':')[1]);
  assert.equal(new Set(keys).size, 5);
  assert.equal(new Set(ana.announced.map(({ nonce }) => nonce)).size, 4);
});

test('an older key that is told again, one that is none and who left change nothing for the others', async () => {
  const group = new Group();
  const [ana, ben, eva] = [await group.add('ana'), await group.add('ben'), await group.add('eva')];
  await ana.keys.renew();
  await group.pass(leadMs);
  const [old] = ana.announced as [FrameKeyShape];
  await ben.keys.heard({ connectionId: 'ana', key: { ...old, proof: (ana.announced[1] as FrameKeyShape).proof } });
  await assert.rejects(ben.keys.heard({ connectionId: 'odd', key: { keyId: 0, nonce: '?', proof: '?' } }));
  ben.keys.left('eva');
  await group.settled();
  assert.ok(ben.understands(ana) && !ben.understands(eva) && ana.understands(eva));
});

test('after its end nothing is told any more', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  await ben.keys.change(SECOND);
  ana.keys.close();
  await group.pass(graceMs);
  assert.deepEqual(ana.told, [['ben', true]]);
});

test('a proof that is none does not keep a changed secret from shutting the old one out', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  const { nonce } = ben.announced[0] as FrameKeyShape;
  for (const proof of ['%', 'short'])
    await assert.rejects(ana.keys.heard({ connectionId: 'x', key: { keyId: 0, nonce, proof } }));
  await ana.keys.change(SECOND);
  await group.pass(graceMs);
  assert.ok(!ana.understands(ben));
});

test('who left does not come back under its id: what it sealed before would open again', async () => {
  const group = new Group();
  const [ana, ben] = [await group.add('ana'), await group.add('ben')];
  const [key] = ana.announced as [FrameKeyShape];
  ben.keys.left('ana');
  await assert.rejects(ben.keys.heard({ connectionId: 'ana', key }), /has left/);
  assert.ok(!ben.understands(ana));
});
