/** Signals a second through one session of a hundred connections: each signal is delivered a hundred times. */
import { figure, medianOf, quick, type Result, repeat } from './harness/figure.ts';
import { type Delay, Platform } from './harness/platform.ts';
import { clientAddress } from './harness/rest-load.ts';
import { inParallel, Seat } from './harness/seat.ts';

const CONNECTIONS = 100;
/** Each may send 200 a second, and 2,000 at once. */
const SENDERS = 20;
const SIGNALS_EACH = quick ? 20 : 75;
const DATA = 'x'.repeat(100);

interface Taken {
  readonly perSecond: number;
  readonly delay: Delay;
}

async function take(platform: Platform, seats: readonly Seat[]): Promise<Taken> {
  await platform.delay();
  const signals = SENDERS * SIGNALS_EACH;
  const heard = seats.map((seat) => seat.hears(seat.told + signals));
  const began = performance.now();
  await inParallel(seats.slice(0, SENDERS), SENDERS, async (seat) => {
    for (let sent = 0; sent < SIGNALS_EACH; sent += 1) await seat.request('signal', { type: 'bench', data: DATA });
  });
  // Answers come after what they answer, on each sender's own socket; the others are behind by what their sockets hold.
  await Promise.all(heard);
  return { perSecond: (signals * 1000) / (performance.now() - began), delay: await platform.delay() };
}

async function measure(): Promise<Result> {
  const platform = await Platform.start();
  const sessionId = await platform.customer.session();
  const seats = await inParallel(Array.from({ length: CONNECTIONS }), 10, (_, index) =>
    Seat.join(platform.port, platform.customer.ticket(sessionId, 'publisher', String(index)), clientAddress(index)),
  );
  await take(platform, seats);
  await platform.quiet();
  const taken = await repeat('signals', () => take(platform, seats));
  await platform.stop();
  const perSecond = medianOf(taken, (each) => each.perSecond);
  const delay = medianOf(taken, (each) => each.delay.p99);
  const round = (value: number) => Math.round(value).toLocaleString('en');
  return {
    rows: [
      {
        what: 'signals sent, a second',
        ours: `${round(perSecond)} (${round(perSecond * CONNECTIONS)} deliveries)`,
        other: null,
        target: null,
      },
      { what: 'delay of the event loop meanwhile', ours: `p99 ${delay.toFixed(1)} ms`, other: null, target: null },
    ],
    notes: [
      `${SENDERS} of the ${CONNECTIONS} connections send ${SIGNALS_EACH} signals of ${DATA.length} bytes each, one at a time, to all; the time ends when the last of them has come.`,
    ],
  };
}

await figure(measure);
