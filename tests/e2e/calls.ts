/** What several tests do with a call, and what they expect of one. */
import assert from 'node:assert/strict';
import type { Leg } from '@cloister/protocol';
import { suiteOf } from '@cloister/protocol/suites';
import type { PublisherProperties } from '@opentok/client';
import type { BrowserName } from '../rig/browser.ts';
import type { Look } from '../rig/in-page.ts';
import type { Participant } from '../rig/page.ts';
import type { Customer } from '../rig/sdk.ts';
import { eventually } from '../rig/wait.ts';

export const STRONG = 'AEAD_AES_256_GCM';
/** What is published where nothing is asked of the picture's size: several encoders share two cores. */
export const small = { resolution: '320x240', frameRate: 15 } as const;

/** A call in a new session: everybody publishes and subscribes to everybody. */
export interface Call {
  readonly sessionId: string;
  /** The streams of the participants, in their order. */
  readonly streams: readonly string[];
}

export function startCall(customer: Customer, ...participants: Participant[]): Promise<Call> {
  return startCallOf(customer, participants, small);
}

/** The same in a relayed session. */
export function startRelayedCall(customer: Customer, ...participants: Participant[]): Promise<Call> {
  return startCallOf(customer, participants, small, 'relayed');
}

/** The same, with what each publishes. */
export async function startCallOf(
  customer: Customer,
  participants: readonly Participant[],
  published: PublisherProperties,
  mediaMode: 'routed' | 'relayed' = 'routed',
): Promise<Call> {
  const sessionId = await customer.session({ mediaMode });
  await Promise.all(participants.map((each) => each.join(customer.ticket(sessionId))));
  const streams = await Promise.all(participants.map((each) => each.publish(published)));
  for (const [index, each] of participants.entries()) {
    await Promise.all(streams.map((stream, of) => (of === index ? null : each.subscribed(stream))));
  }
  return { sessionId, streams };
}

/** The picture that a browser's pretended camera gives, as it arrives at another participant. */
export function assertPicture(look: Look, source: BrowserName): void {
  const [red, green, blue] = look.colour;
  const seen = JSON.stringify(look);
  assert.ok(look.width > 0 && look.height > 0, `no picture: ${seen}`);
  assert.ok(red + green + blue > 60, `the picture is black: ${seen}`);
  assert.ok(look.moved > 0, `the picture stands still: ${seen}`);
  // Chromium's camera shows a green field; garbage that a decoder takes for frames is of any colour.
  if (source === 'chromium') assert.ok(green > red + 40 && green > blue + 40, `the picture is not green: ${seen}`);
}

/** A participant sees a stream, which moves, and hears it. */
export async function assertSeenAndHeard(at: Participant, streamId: string, source: BrowserName): Promise<void> {
  assertPicture(await at.look(streamId), source);
  const { peak } = await at.hear(streamId, 1);
  assert.ok(peak > 0.01, `the sound is too faint: ${peak}`);
  const video = await at.inbound(streamId, 'video');
  assert.ok(Number(video.framesDecoded) > 0, `no frame was decoded: ${JSON.stringify(video)}`);
}

/** Every transport of a page is protected by AES-256, as the browser itself sees it. */
export async function assertStrongAtClient(at: Participant, transports: number): Promise<void> {
  const suites = (await at.stats('transport')).map((each) => suiteOf(String(each.srtpCipher)));
  assert.deepEqual(suites, Array(transports).fill(STRONG));
}

/** The legs of a session once there are `count` and every client has reported. */
export async function reportedLegs(customer: Customer, sessionId: string, count: number): Promise<Leg[]> {
  const record = await eventually(
    `${count} legs in the security record, reported by their clients`,
    () => customer.security(sessionId),
    ({ legs }) => legs.length === count && legs.every((leg) => leg.suiteReportedByClient !== null),
  );
  return record.legs;
}

/** The security record has `count` legs, each AES-256 by the word of both ends. */
export async function assertStrongRecord(customer: Customer, sessionId: string, count: number): Promise<void> {
  for (const leg of await reportedLegs(customer, sessionId, count)) {
    assert.equal(leg.suiteSeenByServer, STRONG);
    assert.equal(leg.suiteReportedByClient, STRONG);
    assert.equal(leg.agree, true);
    assert.equal(leg.state, 'allowed');
  }
}
