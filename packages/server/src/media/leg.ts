/**
 * One transport of a client, in one direction: opened on its worker's server port, connected with the server as DTLS
 * server, reported with its suite once, and given up when its ICE or DTLS fails.
 */
import {
  type Direction,
  type DtlsParameters,
  type IceParameters,
  limits,
  PlatformError,
  type Suite,
  type TransportOffer,
} from '@cloister/protocol';
import type { WebRtcTransport } from 'mediasoup/types';
import { checked } from './refusal.ts';
import type { RoomRouter } from './room-router.ts';

export interface LegWatcher {
  /** DTLS is up, with this suite. Called once. */
  connected(suite: Suite): void;
  /** ICE or DTLS failed, or the client closed it; the leg is closed then. */
  lost(): void;
}

export class Leg {
  readonly direction: Direction;
  readonly transport: WebRtcTransport;
  readonly #router: RoomRouter;
  #closed = false;

  private constructor(direction: Direction, transport: WebRtcTransport, router: RoomRouter, watcher: LegWatcher) {
    this.direction = direction;
    this.transport = transport;
    this.#router = router;
    const { watch } = router.worker;
    const lose = (): void => {
      if (this.#closed) return;
      this.close();
      watcher.lost();
    };
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected') watch.ask(transport.id, (suite) => !this.#closed && watcher.connected(suite));
      else if (state === 'failed' || state === 'closed') lose();
    });
    transport.on('icestatechange', (state) => {
      if (state === 'disconnected') lose();
    });
    transport.observer.once('close', () => watch.forget(transport.id));
  }

  /** @throws PlatformError `MediaLost` when the worker is gone. */
  static async open(direction: Direction, router: RoomRouter, watcher: LegWatcher): Promise<Leg> {
    const transport = await checked(router.router, () =>
      router.router.createWebRtcTransport({
        webRtcServer: router.worker.server,
        enableUdp: true,
        enableTcp: true,
        preferUdp: true,
        initialAvailableOutgoingBitrate: limits.transportBitrateBpsStart,
      }),
    );
    const leg = new Leg(direction, transport, router, watcher);
    try {
      if (direction === 'send') await transport.setMaxIncomingBitrate(limits.transportBitrateBpsMax);
      return leg;
    } catch (error) {
      leg.close();
      throw new PlatformError('MediaLost', {}, { cause: error });
    }
  }

  get closed(): boolean {
    return this.#closed || this.transport.closed;
  }

  get router(): RoomRouter {
    return this.#router;
  }

  get offer(): TransportOffer {
    const { id, iceParameters, iceCandidates, dtlsParameters } = this.transport;
    return {
      transportId: id,
      direction: this.direction,
      iceParameters: { ...iceParameters },
      iceCandidates: iceCandidates.map((candidate) => ({ ...candidate })),
      dtlsParameters: { ...dtlsParameters },
    };
  }

  /** @throws PlatformError `DtlsRoleRefused`, `MediaParametersInvalid` */
  async connect(dtls: DtlsParameters): Promise<void> {
    const { role, fingerprints } = dtls;
    if (role !== 'client') throw new PlatformError('DtlsRoleRefused', { role: role ?? 'auto' });
    const parameters = { role, fingerprints } as Parameters<WebRtcTransport['connect']>[0]['dtlsParameters'];
    await checked(this.transport, () => this.transport.connect({ dtlsParameters: parameters }));
  }

  async restartIce(): Promise<IceParameters> {
    return { ...(await checked(this.transport, () => this.transport.restartIce())) };
  }

  close(): void {
    this.#closed = true;
    this.transport.close();
  }
}
