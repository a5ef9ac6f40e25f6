/**
 * A pipe carries streams from one router of a room to another, on another worker: always SRTP, on loopback, with ports
 * from the configured range. mediasoup's own `pipeToRouter` is not used: where its transports cannot be made once, it
 * never tries again.
 */
import { PlatformError } from '@cloister/protocol';
import type { PipeTransport, Producer, Router } from 'mediasoup/types';
import { Gate } from './gate.ts';

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** A producer as it comes out at the other end, under the same id. Paused until its gate is opened. */
export interface PipedProducer {
  readonly producer: Producer;
  /** Whether packets go through the pipe. */
  readonly gate: Gate;
  close(): void;
}

export class Pipe {
  readonly near: PipeTransport;
  readonly far: PipeTransport;

  private constructor(near: PipeTransport, far: PipeTransport) {
    this.near = near;
    this.far = far;
    near.observer.once('close', () => far.close());
    far.observer.once('close', () => near.close());
  }

  get closed(): boolean {
    return this.near.closed;
  }

  /** @throws PlatformError `CapacityReached` when the range has no port left. */
  static async open(from: Router, to: Router, portRange: PortRange): Promise<Pipe> {
    const opened: PipeTransport[] = [];
    const end = async (router: Router): Promise<PipeTransport> => {
      const transport = await router.createPipeTransport({
        listenInfo: { protocol: 'udp', ip: '127.0.0.1', portRange },
        enableSrtp: true,
        enableRtx: false,
      });
      opened.push(transport);
      return transport;
    };
    try {
      const [near, far] = await Promise.all([end(from), end(to)]);
      const address = ({ tuple, srtpParameters }: PipeTransport) => ({
        ip: tuple.localAddress,
        port: tuple.localPort,
        srtpParameters,
      });
      await Promise.all([near.connect(address(far)), far.connect(address(near))]);
      return new Pipe(near, far);
    } catch (error) {
      for (const transport of opened) transport.close();
      const gone = from.closed || to.closed;
      throw new PlatformError(gone ? 'MediaLost' : 'CapacityReached', {}, { cause: error });
    }
  }

  /** Sends a producer through. @throws what mediasoup throws; nothing is left behind. */
  async carry(source: Producer): Promise<PipedProducer> {
    const out = await this.near.consume({ producerId: source.id });
    const gate = new Gate(out, true);
    void gate.set(false);
    try {
      const producer = await this.far.produce({
        id: source.id,
        kind: out.kind,
        rtpParameters: out.rtpParameters,
        paused: true,
      });
      out.observer.once('close', () => producer.close());
      out.observer.on('pause', () => void producer.pause().catch(() => undefined));
      out.observer.on('resume', () => void producer.resume().catch(() => undefined));
      producer.observer.once('close', () => out.close());
      if (out.closed) producer.close();
      return { producer, gate, close: () => out.close() };
    } catch (error) {
      out.close();
      throw error;
    }
  }
}
