/** Tiles of the database, as the tree's arithmetic takes them. */
import type { AuditStore } from '../core/index.ts';
import { hashBytes, type Range } from './merkle.ts';
import { readTile, type Tile, type TileId, tilesFor, widthOf } from './tile.ts';

/** Those of the tiles that are there, as a tree of `size` leaves has them; one that is too short is left out. */
export async function storedTiles(
  store: Pick<AuditStore, 'tiles'>,
  ids: readonly TileId[],
  size: number,
): Promise<Tile[]> {
  const rows = await store.tiles(ids);
  return rows.flatMap(({ level, index, hashes }) => {
    const width = widthOf({ level, index }, size);
    const found = readTile(hashes.subarray(0, width * hashBytes), width);
    return found ? [{ level, index, hashes: found }] : [];
  });
}

/** What the hashes of some ranges of a tree of `size` leaves are computed from. */
export function readTilesFor(
  store: Pick<AuditStore, 'tiles'>,
  ranges: readonly Range[],
  size: number,
): Promise<Tile[]> {
  return storedTiles(store, tilesFor(ranges), size);
}
