/**
 * The media of one connection: mediasoup's device, one transport for all that is sent and one for all that is received.
 *
 * Transports are made when first needed. They repair themselves by an ICE restart; one that stays broken is reported,
 * and whoever sends or receives over it builds anew.
 */
import type { ConsumerOffer, Direction, IceServer, RtpCapabilities, Suite, TransportOffer } from '@cloister/protocol';
import { suiteOf } from '@cloister/protocol/suites';
import { Device, type types } from 'mediasoup-client';
import type { AddressHold } from './address-hold.ts';
import type { Clock } from './clock.ts';
import { asOtError, OtError } from './errors.ts';
import { Flow, hasOtherWay, receivedBytes } from './flow.ts';
import { log } from './log.ts';
import type { Wire } from './wire.ts';

export type Sender = types.Producer;
export type Receiver = types.Consumer;

export interface MediaObserver {
  /** A transport could not be repaired: what ran over it must be built again. */
  transportLost(direction: Direction): void;
  /** What came over a transport has stopped: its sources are silent, or there is no way to them any more. */
  stalled(): void;
  /** What this browser says of a transport that connected. */
  suiteReported(direction: Direction, suite: Suite): void;
}

/** What to send, beside the track. */
export type SendOptions = Pick<types.ProducerOptions, 'encodings' | 'codecOptions' | 'codec'> & {
  streamId: string;
  /** The server forwards nothing of it until `updateStream` says otherwise. */
  paused: boolean;
};

/** Encrypts the frames of every track, inside what is negotiated. */
export interface MediaFrames {
  /** What peer connections must be made with. */
  readonly rtcConfiguration: Partial<RTCConfiguration>;
  /** Told of a sender before it sends anything; what it throws ends the sending. */
  seal(sender: RTCRtpSender, mimeType: string): void;
  /** Told of a receiver before it receives anything. */
  open(receiver: RTCRtpReceiver, mimeType: string, streamId: string): void;
}

const disconnectedMs = 1000;
const restartMs = 5000;
const lookMs = 100;
const statsTryMs = 50;
const statsTries = 20;

interface Leg {
  readonly direction: Direction;
  readonly transport: types.Transport;
  readonly flow: Flow;
  cancelTimer: () => void;
  cancelLook: () => void;
  restarting: boolean;
  reported: boolean;
}

export class Media {
  readonly #wire: Pick<Wire, 'request'>;
  readonly #clock: Clock;
  readonly #observer: MediaObserver;
  #iceServers: IceServer[];
  #transportPolicy: RTCIceTransportPolicy;
  readonly #frames: MediaFrames | null;
  readonly #hold: Pick<AddressHold, 'requireOffer'> | null;
  readonly #loadDevice: (rtpCapabilities: RtpCapabilities) => Promise<types.Device>;
  #routerCapabilities: RtpCapabilities;
  #device: Promise<types.Device> | null = null;
  readonly #legs = new Map<Direction, Promise<Leg>>();
  /** What comes back over the transport that sends: a few reports, cheap to look at. */
  #answers: Flow | null = null;
  #closed = false;

  constructor(deps: {
    wire: Pick<Wire, 'request'>;
    clock: Clock;
    observer: MediaObserver;
    rtpCapabilities: RtpCapabilities;
    iceServers: IceServer[];
    transportPolicy: RTCIceTransportPolicy;
    /** null where nothing but SRTP encrypts. */
    frames?: MediaFrames | null;
    /** What candidates are held to; null where no list is. */
    hold?: Pick<AddressHold, 'requireOffer'> | null;
    /** Tests put a device of their own here. */
    loadDevice?: (rtpCapabilities: RtpCapabilities) => Promise<types.Device>;
  }) {
    this.#wire = deps.wire;
    this.#clock = deps.clock;
    this.#observer = deps.observer;
    this.#routerCapabilities = deps.rtpCapabilities;
    this.#iceServers = deps.iceServers;
    this.#transportPolicy = deps.transportPolicy;
    this.#frames = deps.frames ?? null;
    this.#hold = deps.hold ?? null;
    this.#loadDevice = deps.loadDevice ?? loadDevice;
  }

  /** The loaded device. Rejects with `OT_UNSUPPORTED_BROWSER` where the browser has no usable WebRTC. */
  device(): Promise<types.Device> {
    this.#device ??= this.#loadDevice(this.#routerCapabilities);
    return this.#device;
  }

  /** Resolves when the transport of a direction stands; asked for early, what comes over it starts sooner. */
  async ready(direction: Direction): Promise<void> {
    await this.#leg(direction);
  }

  /** Starts sending a track. */
  async send(track: MediaStreamTrack, options: SendOptions): Promise<Sender> {
    const { transport } = await this.#leg('send');
    const { streamId, paused, ...producing } = options;
    const frames = this.#frames;
    const mimeType = frames && (options.codec ?? (await this.#firstCodec(track.kind))).mimeType;
    return transport.produce({
      ...producing,
      ...(frames && mimeType ? { onRtpSender: (sender: RTCRtpSender) => frames.seal(sender, mimeType) } : {}),
      track,
      stopTracks: false,
      disableTrackOnPause: false,
      zeroRtpOnPause: false,
      appData: { streamId, paused },
    });
  }

  /** Starts receiving one track that the server offered. */
  async receive(offer: ConsumerOffer, streamId: string): Promise<Receiver> {
    const { transport } = await this.#leg('receive');
    const frames = this.#frames;
    const mimeType = offer.rtpParameters.codecs[0]?.mimeType ?? 'unknown';
    return transport.consume({
      ...(frames ? { onRtpReceiver: (receiver: RTCRtpReceiver) => frames.open(receiver, mimeType, streamId) } : {}),
      id: offer.consumerId,
      producerId: offer.producerId,
      kind: offer.kind,
      rtpParameters: offer.rtpParameters as types.RtpParameters,
      // One stream id for both tracks, so that the browser keeps picture and sound together.
      streamId,
    });
  }

  /** New network: every transport looks for a way again, in the same session. */
  restartIce(): void {
    for (const direction of this.#legs.keys()) void this.#restart(direction);
  }

  /**
   * After the wire came back: those that are not connected. All when one is so in name only, and then they must not
   * keep to the way that is gone.
   */
  async repair(): Promise<void> {
    const settled = await Promise.allSettled(this.#legs.values());
    const legs = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const moved = legs.some(({ flow }) => flow.quiet);
    for (const { direction, transport } of legs) {
      if (moved || transport.connectionState !== 'connected') void this.#restart(direction, moved);
    }
  }

  /** Drops the transport of a direction; the next `send` or `receive` builds another. */
  drop(direction: Direction): void {
    const leg = this.#legs.get(direction);
    this.#legs.delete(direction);
    if (direction === 'send') this.#answers = null;
    leg?.then((made) => {
      made.cancelTimer();
      made.cancelLook();
      made.transport.close();
    }, ignore);
  }

  /**
   * Drops everything: the server's media is new and may be able to do other things. Where it can do the same, the device
   * stays: to load another costs an `RTCPeerConnection` at the moment at which all of a session build theirs again.
   */
  reset(rtpCapabilities: RtpCapabilities): void {
    this.drop('send');
    this.drop('receive');
    if (JSON.stringify(rtpCapabilities) !== JSON.stringify(this.#routerCapabilities)) this.#device = null;
    this.#routerCapabilities = rtpCapabilities;
  }

  /** getStats of a direction's whole transport; null while there is none. */
  async stats(direction: Direction): Promise<RTCStatsReport | null> {
    const leg = await this.#legs.get(direction);
    return leg && !leg.transport.closed ? leg.transport.getStats() : null;
  }

  /**
   * The same servers with new credentials: for new transports, and for those that run as soon as they look for a way again.
   * Until then they keep the way they have, and a TURN server keeps to the credential that it was asked with (RFC 8656, 7.2).
   */
  setIceServers(iceServers: IceServer[]): void {
    this.#iceServers = iceServers;
  }

  /**
   * Other servers or another policy by the application's will. New servers are looked at at once, by an ICE restart; a
   * policy cannot be changed in mediasoup's transports, so they are built anew, and what ran over them with them.
   */
  async setIceConfig(iceServers: IceServer[], transportPolicy: RTCIceTransportPolicy): Promise<void> {
    const same = JSON.stringify(iceServers) === JSON.stringify(this.#iceServers);
    const rebuild = transportPolicy !== this.#transportPolicy;
    this.#iceServers = iceServers;
    this.#transportPolicy = transportPolicy;
    if (rebuild) {
      const settled = await Promise.allSettled(this.#legs.values());
      for (const each of settled) if (each.status === 'fulfilled') this.#lost(each.value.direction, each.value);
    } else if (!same) {
      await Promise.all([...this.#legs.keys()].map((direction) => this.#restart(direction)));
    }
  }

  close(): void {
    this.#closed = true;
    this.drop('send');
    this.drop('receive');
  }

  // ------------------------------------------------------------------------------------------------------ transports

  #leg(direction: Direction): Promise<Leg> {
    if (this.#closed) return Promise.reject(new OtError('OT_NOT_CONNECTED', 'The session is not connected'));
    const known = this.#legs.get(direction);
    if (known) return known;
    const making = this.#build(direction);
    this.#legs.set(direction, making);
    making.catch(() => {
      if (this.#legs.get(direction) === making) this.#legs.delete(direction);
    });
    return making;
  }

  async #build(direction: Direction): Promise<Leg> {
    const [device, offer] = await Promise.all([this.device(), this.#wire.request('openTransport', { direction })]);
    this.#hold?.requireOffer(offer);
    const options = {
      ...transportOptions(offer),
      iceServers: this.#iceServers,
      iceTransportPolicy: this.#transportPolicy,
      ...(this.#frames ? { additionalSettings: this.#frames.rtcConfiguration } : {}),
    };
    const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
    const idle = { cancelTimer: ignore, cancelLook: ignore, restarting: false, reported: false };
    const leg: Leg = { direction, transport, flow: new Flow(), ...idle };
    if (direction === 'send') this.#answers = leg.flow;
    const transportId = offer.transportId;
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.#wire.request('connectTransport', { transportId, dtlsParameters }).then(done, failed);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      const { streamId, paused } = appData as { streamId: string; paused: boolean };
      this.#wire
        .request('produce', { streamId, kind, rtpParameters, paused })
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
    transport.on('connectionstatechange', (state) => this.#changed(direction, leg, state));
    this.#lookAgain(leg);
    return leg;
  }

  /** The codec that is sent where none is asked for. */
  async #firstCodec(kind: string): Promise<types.RtpCodecCapability> {
    const device = await this.device();
    const first = device.sendRtpCapabilities.codecs?.find((codec) => codec.kind === kind);
    if (!first) throw new OtError('OT_UNSUPPORTED_BROWSER', `This browser sends no ${kind} that others understand`);
    return first;
  }

  #lookAgain(leg: Leg): void {
    leg.cancelLook = this.#clock.after(lookMs, () => void this.#look(leg).catch(ignore));
  }

  /** Watches whether packets still come, until the transport is closed; where both legs have some, on one. */
  async #look(leg: Leg): Promise<void> {
    const { direction, transport, flow } = leg;
    const spared = direction === 'receive' && this.#answers?.steady;
    if (transport.connectionState === 'connected' && !leg.restarting && !spared) {
      const received = receivedBytes(await transport.getStats());
      if (flow.look(received, this.#clock.now())) this.#observer.stalled();
    }
    if (!transport.closed) this.#lookAgain(leg);
  }

  #changed(direction: Direction, leg: Leg, state: types.ConnectionState): void {
    if (state === 'connected') {
      leg.cancelTimer();
      leg.restarting = false;
      if (leg.reported) return;
      leg.reported = true;
      this.#reportSuite(direction, leg).catch((error: unknown) => log.warn('The suite could not be reported', error));
    } else if (leg.restarting) {
      if (state === 'failed') this.#lost(direction, leg);
    } else if (state === 'disconnected') {
      leg.cancelTimer();
      leg.cancelTimer = this.#clock.after(disconnectedMs, () => void this.#restart(direction));
      this.#observer.stalled();
    } else if (state === 'failed') {
      void this.#restart(direction);
    }
  }

  /** Asks the server for new ICE parameters; a transport that is not back in time is lost. */
  async #restart(direction: Direction, moved = false): Promise<void> {
    const making = this.#legs.get(direction);
    const leg = await making?.catch(() => null);
    if (!leg || leg.restarting || leg.transport.closed || leg.transport.connectionState === 'new') return;
    leg.restarting = true;
    leg.cancelTimer();
    try {
      const before = moved ? await leg.transport.getStats() : null;
      const { iceParameters } = await this.#wire.request('restartIce', { transportId: leg.transport.id });
      if (this.#legs.get(direction) !== making || leg.transport.closed) return;
      await leg.transport.updateIceServers({ iceServers: this.#iceServers });
      await leg.transport.restartIce({ iceParameters: iceParameters as types.IceParameters });
      if (before) void this.#leaveOldWay(direction, leg, before).catch(ignore);
    } catch (error) {
      log.warn(`The ${direction} transport could not restart`, error);
      if (this.#legs.get(direction) === making && !this.#closed) this.#lost(direction, leg);
      return;
    }
    leg.cancelTimer = this.#clock.after(restartMs, () => {
      leg.restarting = false;
      if (leg.transport.connectionState !== 'connected') this.#lost(direction, leg);
    });
  }

  /**
   * A browser keeps to a better way for seconds after it died, though a restart has found one that answers. (libwebrtc,
   * `BasicIceController`: the old pair of candidates counts as receiving for 2.5 s, and one more until it is left.)
   * Then to build the transport anew is faster.
   */
  async #leaveOldWay(direction: Direction, leg: Leg, before: RTCStatsReport): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => void this.#clock.after(lookMs, resolve));
      if (leg.transport.closed || !leg.restarting) return;
      const now = await leg.transport.getStats();
      if (receivedBytes(now) > receivedBytes(before)) {
        leg.cancelTimer();
        leg.restarting = false;
        return;
      }
      if (hasOtherWay(before, now)) return this.#lost(direction, leg);
    }
  }

  #lost(direction: Direction, leg: Leg): void {
    leg.cancelTimer();
    if (leg.transport.closed) return;
    this.drop(direction);
    this.#observer.transportLost(direction);
  }

  /** Reads the suite from getStats('transport'); the browser may take a moment to write it there. */
  async #reportSuite(direction: Direction, leg: Leg): Promise<void> {
    for (let tried = 0; tried < statsTries && !leg.transport.closed; tried++) {
      const found = transportSecurity(await leg.transport.getStats());
      if (found || tried === statsTries - 1) {
        const suite = found?.suite ?? 'unknown';
        this.#observer.suiteReported(direction, suite);
        await this.#wire.request('reportSuite', {
          transportId: leg.transport.id,
          suite,
          dtlsVersion: found?.dtlsVersion ?? null,
        });
        return;
      }
      await new Promise<void>((resolve) => void this.#clock.after(statsTryMs, resolve));
    }
  }
}

function ignore(): void {}

async function loadDevice(rtpCapabilities: RtpCapabilities): Promise<types.Device> {
  try {
    const device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities as types.RtpCapabilities });
    return device;
  } catch (error) {
    throw asOtError(error, 'OT_UNSUPPORTED_BROWSER');
  }
}

function transportOptions(offer: TransportOffer): types.TransportOptions {
  return {
    id: offer.transportId,
    iceParameters: offer.iceParameters as types.IceParameters,
    iceCandidates: offer.iceCandidates as types.IceCandidate[],
    dtlsParameters: offer.dtlsParameters as types.DtlsParameters,
  };
}

// DTLS versions on the wire (RFC 6347, 4.1 and RFC 9147, 5.3), as browsers print them in hexadecimal.
const dtlsVersions: Readonly<Record<string, string>> = { FEFF: 'DTLS 1.0', FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3' };

/** Suite and DTLS version as a browser's `RTCTransportStats` have them; null until they are there. */
export function transportSecurity(stats: RTCStatsReport): { suite: Suite; dtlsVersion: string | null } | null {
  for (const entry of stats.values() as Iterable<{ type: string; srtpCipher?: string; tlsVersion?: string }>) {
    if (entry.type !== 'transport' || !entry.srtpCipher) continue;
    const version = entry.tlsVersion?.toUpperCase();
    return { suite: suiteOf(entry.srtpCipher), dtlsVersion: version ? (dtlsVersions[version] ?? version) : null };
  }
  return null;
}
