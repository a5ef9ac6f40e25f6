/** Where the next client of a room goes. */
import { limits } from '@cloister/protocol';
import type { RoomRouter } from './room-router.ts';
import type { MediaWorker } from './worker-pool.ts';

type Router = Pick<RoomRouter, 'peers' | 'consumers'> & { readonly worker: Worker };
type Worker = { readonly load: Pick<MediaWorker['load'], 'weight' | 'full'> };

export type Place<R, W> = { readonly router: R } | { readonly worker: W };

function least<Item>(items: readonly Item[], weight: (item: Item) => number): Item | undefined {
  return items.reduce<Item | undefined>(
    (best, item) => (best === undefined || weight(item) < weight(best) ? item : best),
    undefined,
  );
}

/**
 * A room stays on one router while that has fewer than `subscribersPerRouter` clients and tracks and its worker is not
 * full; then it takes the least loaded worker that it is not on yet. Where it is on all of them, the least loaded router.
 * @returns the router to use, the worker to open one on, or null when there is neither.
 */
export function choosePlace<R extends Router, W extends Worker>(
  routers: readonly R[],
  workers: readonly W[],
): Place<R, W> | null {
  const limit = limits.subscribersPerRouter;
  const roomy = routers.filter(
    ({ peers, consumers, worker }) => peers < limit && consumers < limit && !worker.load.full,
  );
  const byUse = ({ peers, consumers }: R): number => peers + consumers;
  const first = least(roomy, byUse);
  if (first) return { router: first };
  const free = workers.filter((worker) => !routers.some((router) => router.worker === worker));
  const calm = free.filter((worker) => !worker.load.full);
  // A full worker is taken only by a room that has nothing else.
  const worker = least(calm.length > 0 || routers.length > 0 ? calm : free, ({ load }) => load.weight);
  if (worker) return { worker };
  const any = least(routers, byUse);
  return any ? { router: any } : null;
}
