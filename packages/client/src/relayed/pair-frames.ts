/**
 * The frame layer of one connection between two clients: both tell each other a fresh key, or that they have none, and agree
 * (docs/decisions/0016). Until they have, no frame goes out and none is shown. Frames go unsealed only where both ends know
 * that one of them cannot seal, and the session's policy allows it.
 */
import type { FrameLayer as LayerName, PeerMessage, PeerReport } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { Clock } from '../clock.ts';
import { OtError } from '../errors.ts';
import { FrameAgreeing, type FrameAgreement, sameBytes } from '../frames/agreement.ts';
import { fromBase64Url, toBase64Url } from '../frames/base64url.ts';
import type { FrameLayer } from '../frames/frame-layer.ts';
import { frameSuite } from '../frames/sframe.ts';
import type { Fingerprints } from './peer.ts';

/** What all pairs of a session have in common. */
export interface SessionFrames {
  readonly sessionId: string;
  readonly ownId: string;
  /** null where this browser cannot seal frames. */
  readonly layer: FrameLayer | null;
  /** The policy asks for AES-256: a pair without sealed frames is refused. */
  readonly required: boolean;
  readonly clock: Clock;
  /** What the application's secret was stretched to; null where it gave none. */
  secret(): Promise<Uint8Array<ArrayBuffer> | null>;
}

/** What came of it. */
export type FramesDecided = Pick<PeerReport, 'frameLayer' | 'frames'>;

export interface PairFramesObserver {
  say(message: PeerMessage): void;
  decided(outcome: FramesDecided): void;
  /** The two have different keys: somebody swapped one on its way, or another secret went in. */
  differs(): void;
  /** The pair must not go on; the other end has been told. */
  failed(error: OtError): void;
  /** Whether the connection between the two is up. */
  connected(): boolean;
}

type KeyMessage = Extract<PeerMessage, { kind: 'frameKey' | 'frameProof' | 'frameRefused' }>;

const failure = 'OT_CREATE_PEER_CONNECTION_FAILED';

const unproven =
  'the other client gave a key and no proof that it uses it, as when somebody between the two tells it that this one cannot encrypt frames';

function refusal(who: string): OtError {
  return new OtError('OT_MEDIA_SUITE_REFUSED', `The session asks for AES-256, and ${who} cannot encrypt frames`);
}

/** Of two who do not have the same keys. */
function keysDiffer(): OtError {
  const why = 'The two clients have different keys: somebody between them changed what they said to each other';
  return new OtError(failure, why, { detail: 'keysDiffer' });
}

export class PairFrames {
  readonly #session: SessionFrames;
  readonly #otherId: string;
  readonly #build: number;
  readonly #observer: PairFramesObserver;
  #fingerprints: Fingerprints = { own: null, theirs: null };
  #agreeing: Promise<FrameAgreeing> | null = null;
  /** The latest of the other end. */
  #theirs: Extract<PeerMessage, { kind: 'frameKey' }> | null = null;
  #theirProof: string | null = null;
  #proven = false;
  #cancelWait: () => void = () => undefined;
  #agreement: FrameAgreement | null = null;
  #settling = false;
  /** The fingerprint of the other end that went into the keys. */
  #agreedOn: string | null = null;
  #over = false;

  constructor(session: SessionFrames, pair: { otherId: string; build: number }, observer: PairFramesObserver) {
    this.#session = session;
    this.#otherId = pair.otherId;
    this.#build = pair.build;
    this.#observer = observer;
    // Whatever the connection before agreed on, this one has agreed on nothing yet.
    session.layer?.hold(pair.otherId);
  }

  /** Sixty digits that are the same at both ends where nobody stands between them; null until they are known, or where frames are not sealed. */
  get securityCode(): string | null {
    return this.#agreement?.securityCode ?? null;
  }

  /** A sender, before its first description. */
  seal(sender: RTCRtpSender): void {
    this.#session.layer?.seal(sender, this.#otherId, null);
  }

  /** A receiver, before this end has answered. */
  open(receiver: RTCRtpReceiver): void {
    this.#session.layer?.open(receiver, this.#otherId, null);
  }

  /** A description was set: certificates of one end or both are known. */
  described(fingerprints: Fingerprints): void {
    if (this.#over) return;
    // An offer that was taken back leaves no description; the certificate stays.
    const own = fingerprints.own ?? this.#fingerprints.own;
    const first = this.#fingerprints.own === null && own !== null;
    if (this.#agreedOn !== null && fingerprints.theirs !== this.#agreedOn) {
      this.#fail('the other end has another certificate than the one that was agreed on');
      return;
    }
    this.#fingerprints = { own, theirs: fingerprints.theirs };
    if (first) this.#introduce(own as string);
    this.#settle();
  }

  /** A message of the other end. */
  take(message: KeyMessage): void {
    if (this.#over) return;
    if (message.kind === 'frameProof') {
      this.#theirProof ??= message.proof;
      this.#compare();
    } else if (message.kind === 'frameRefused') {
      const unable = this.#session.required && this.#theirs?.publicKey === null;
      this.#end(unable ? refusal('the other client') : keysDiffer());
    } else {
      this.#theirs = message;
      this.#settle();
    }
  }

  /** Ends the pair, whose two ends have different keys. */
  refuse(): void {
    this.#end(keysDiffer());
  }

  close(): void {
    this.#over = true;
    this.#cancelWait();
  }

  #introduce(fingerprint: string): void {
    const say = (publicKey: string | null) =>
      this.#observer.say({ kind: 'frameKey', build: this.#build, fingerprint, publicKey });
    if (!this.#session.layer) {
      say(null);
      return;
    }
    this.#agreeing = FrameAgreeing.begin(this.#session.ownId, fingerprint);
    this.#agreeing.then(
      ({ end }) => !this.#over && say(toBase64Url(end.publicKey)),
      (error: unknown) => this.#fail(String(error)),
    );
  }

  #settle(): void {
    const { layer, required } = this.#session;
    const { own, theirs } = this.#fingerprints;
    if (this.#settling || own === null) return;
    if (!layer && required) {
      this.#settling = true;
      this.#goUnsealed(true);
    }
    if (!this.#theirs || this.#settling) return;
    const { publicKey, fingerprint } = this.#theirs;
    if (!layer || publicKey === null) {
      this.#settling = true;
      this.#goUnsealed(publicKey !== null);
      // A key for a connection that the other end has given up is followed by another.
    } else if (theirs && fingerprint.toUpperCase() === theirs.toUpperCase()) {
      this.#settling = true;
      this.#agreedOn = theirs;
      this.#agree(layer, publicKey, theirs).catch((error: unknown) => this.#fail(String(error)));
    }
  }

  #goUnsealed(otherCan: boolean): void {
    const { layer, required } = this.#session;
    const frames = { own: layer !== null, other: otherCan };
    if (required) {
      void this.#refuse(frames.own ? 'the other client' : 'this browser');
      return;
    }
    layer?.clear(this.#otherId);
    this.#observer.decided({ frameLayer: null, frames });
  }

  /** After the own key was said, of which the other end learns the same. */
  async #refuse(who: string): Promise<void> {
    await this.#agreeing?.catch(() => undefined);
    this.#end(refusal(who));
  }

  async #agree(layer: FrameLayer, theirKey: string, theirFingerprint: string): Promise<void> {
    const [agreeing, secret] = await Promise.all([this.#agreeing as Promise<FrameAgreeing>, this.#session.secret()]);
    const other = {
      connectionId: this.#otherId,
      fingerprint: theirFingerprint,
      publicKey: fromBase64Url(theirKey),
    };
    const agreement = await agreeing.with({ sessionId: this.#session.sessionId, other, secret });
    if (this.#over) return;
    this.#agreement = agreement;
    layer.sealWith(this.#otherId, this.#build, agreement.sending);
    layer.openWith(this.#otherId, this.#build, agreement.receiving);
    this.#observer.say({ kind: 'frameProof', build: this.#build, proof: toBase64Url(agreement.proof) });
    this.#awaitProof();
    this.#compare();
  }

  /** While a network changes under one of the two, what it says takes as long as it takes; then nothing comes of it either. */
  #awaitProof(): void {
    this.#cancelWait = this.#session.clock.after(limits.peerProofSeconds * 1000, () => {
      if (this.#observer.connected()) this.#fail(unproven);
      else this.#awaitProof();
    });
  }

  #compare(): void {
    if (!this.#agreement || this.#theirProof === null) return;
    this.#cancelWait();
    this.#proven = sameBytes(fromBase64Url(this.#theirProof), this.#agreement.proofExpected);
    if (this.#proven)
      this.#observer.decided({ frameLayer: frameSuite.name satisfies LayerName, frames: { own: true, other: true } });
    else this.#observer.differs();
  }

  #fail(why: string): void {
    this.#end(new OtError(failure, `No key for frames could be agreed on: ${why}`));
  }

  /** Both ends learn of it. What this one knows goes into the record: it can, and it was told that the other can. */
  #end(error: OtError): void {
    if (this.#over) return;
    const told = this.#agreedOn !== null && !this.#proven;
    this.close();
    if (told) this.#observer.decided({ frameLayer: null, frames: { own: true, other: true } });
    this.#observer.say({ kind: 'frameRefused', build: this.#build });
    this.#observer.failed(error);
  }
}
