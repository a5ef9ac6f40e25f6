/**
 * A peer connection without media, for tests of the negotiation: its states and their order are those of W3C WebRTC 1.0,
 * section 4.3, with the implicit rollback; its descriptions are a line of JSON and a fingerprint, and nothing is sent anywhere. Two real browsers are
 * in tests/e2e/relayed.test.ts.
 */
interface Section {
  readonly mid: string;
  readonly kind: string;
  /** Of whoever made it. */
  readonly by: number;
}

class FakeTransceiver {
  mid: string | null = null;
  stopped = false;
  readonly sender: { track: MediaStreamTrack | null; transport: { state: RTCDtlsTransportState } };
  readonly receiver: { track: MediaStreamTrack };
  readonly #changed: () => void;

  constructor(track: MediaStreamTrack | null, kind: string, changed: () => void) {
    this.sender = { track, transport: { state: 'new' } };
    this.receiver = { track: { kind } as MediaStreamTrack };
    this.#changed = changed;
  }

  setCodecPreferences(): void {}

  stop(): void {
    this.stopped = true;
    this.#changed();
  }
}

let made = 0;

export class FakeConnection {
  readonly id = ++made;
  signalingState: RTCSignalingState = 'stable';
  connectionState: RTCPeerConnectionState = 'new';
  iceConnectionState: RTCIceConnectionState = 'new';
  localDescription: { type: RTCSdpType; sdp: string } | null = null;
  remoteDescription: { type: RTCSdpType; sdp: string } | null = null;
  onnegotiationneeded: (() => void) | null = null;
  onicecandidate: ((event: { candidate: RTCIceCandidate | null }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  readonly transceivers: FakeTransceiver[] = [];
  readonly candidates: unknown[] = [];
  restarts = 0;
  rollbacks = 0;
  suite = 'AEAD_AES_128_GCM';
  /** Bytes so far. */
  received = 0;
  #needed = false;
  #asked = false;
  #agreed: Section[] = [];

  addTransceiver(track: MediaStreamTrack): FakeTransceiver {
    const made = new FakeTransceiver(track, track.kind, () => this.#need());
    this.transceivers.push(made);
    this.#need();
    return made;
  }

  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }

  restartIce(): void {
    this.restarts += 1;
    this.#need();
  }

  async createOffer() {
    return { type: 'offer', sdp: this.#sections('offer') } as const;
  }

  async createAnswer() {
    return { type: 'answer', sdp: this.#sections('answer') } as const;
  }

  async setLocalDescription(): Promise<void> {
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    await Promise.resolve();
    this.#requireOpen();
    this.localDescription = { type, sdp: this.#sections(type) };
    if (type === 'offer') this.#needed = false;
    this.#turn(type === 'offer' ? 'have-local-offer' : 'stable');
    // In a later task, as browsers do.
    const candidate = { candidate: `of ${this.id}`, sdpMid: '0' } as RTCIceCandidate;
    setImmediate(() => this.onicecandidate?.({ candidate }));
  }

  async setRemoteDescription({ type, sdp }: { type: RTCSdpType; sdp: string }): Promise<void> {
    await Promise.resolve();
    this.#requireOpen();
    const sections = JSON.parse(sdp.split('\n')[0] ?? '') as Section[];
    if (type === 'offer' && this.signalingState === 'have-local-offer') this.#rollBack();
    if (type === 'answer' && this.signalingState !== 'have-local-offer') throw new Error('no offer to answer');
    this.remoteDescription = { type, sdp };
    if (type === 'offer') {
      for (const { mid, kind, by } of sections) {
        if (by === this.id || this.transceivers.some((each) => each.mid === mid)) continue;
        const taken = new FakeTransceiver(null, kind, () => this.#need());
        taken.mid = mid;
        this.transceivers.push(taken);
      }
      this.#agreed = sections;
    }
    this.#turn(type === 'offer' ? 'have-remote-offer' : 'stable');
  }

  async addIceCandidate(candidate: unknown): Promise<void> {
    if (!this.remoteDescription) throw new Error('no remote description');
    this.candidates.push(candidate);
  }

  async getStats(): Promise<RTCStatsReport> {
    const transport = { type: 'transport', srtpCipher: this.suite, tlsVersion: 'FEFD', bytesReceived: this.received };
    return new Map([['t', transport]]) as never;
  }

  getConfiguration(): RTCConfiguration {
    return {};
  }

  setConfiguration(): void {}

  /** The browser says that the state of the connection is another. */
  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  /** DTLS fails, over a way that is there. */
  failHandshake(): void {
    this.iceConnectionState = 'connected';
    for (const { sender } of this.transceivers) sender.transport.state = 'failed';
    this.become('failed');
  }

  close(): void {
    this.signalingState = 'closed';
    this.connectionState = 'closed';
  }

  #requireOpen(): void {
    if (this.signalingState === 'closed') throw new Error('closed');
  }

  #sections(type: 'offer' | 'answer'): string {
    if (type === 'answer') return this.#written();
    for (const each of this.transceivers) each.mid ??= `${this.id}-${this.transceivers.indexOf(each)}`;
    const known = new Map(this.#agreed.map((section) => [section.mid, section]));
    this.#agreed = this.transceivers
      .filter(({ stopped }) => !stopped)
      .map(
        ({ mid, receiver }) =>
          known.get(mid as string) ?? { mid: mid as string, kind: receiver.track.kind, by: this.id },
      );
    return this.#written();
  }

  #written(): string {
    const digits = this.id.toString(16).padStart(64, '0').match(/../g)?.join(':');
    return `${JSON.stringify(this.#agreed)}\na=fingerprint:sha-256 ${digits}`;
  }

  #rollBack(): void {
    this.rollbacks += 1;
    for (const each of this.transceivers) if (each.sender.track) each.mid = null;
    this.#needed = true;
  }

  #turn(state: RTCSignalingState): void {
    this.signalingState = state;
    if (state === 'stable' && this.#needed) this.#need();
  }

  #need(): void {
    this.#needed = true;
    if (this.#asked) return;
    this.#asked = true;
    setImmediate(() => {
      this.#asked = false;
      if (this.#needed && this.signalingState === 'stable') this.onnegotiationneeded?.();
    });
  }
}
