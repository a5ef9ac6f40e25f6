import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { Tile as TileState } from './call-state.ts';
import { layout } from './layout.ts';
import { Tile } from './tile.tsx';

const GAP = 8;

/** Everybody, over the whole area. */
export function Stage({ tiles, invite }: { tiles: readonly TileState[]; invite: ReactNode }) {
  const place = useRef<HTMLUListElement>(null);
  const [area, setArea] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    if (!place.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setArea({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  const boxes = layout(area, tiles, GAP);
  const alone = tiles.every((tile) => tile.own);
  return (
    <div className="stage">
      <ul className="tiles" ref={place} aria-label="People in the call">
        {tiles.map((tile) => {
          const box = boxes.get(tile.key);
          return box && <Tile key={tile.key} tile={tile} box={box} />;
        })}
      </ul>
      {alone && (
        <div className="alone" data-empty={tiles.length === 0}>
          <p>{tiles.length === 0 ? 'Nobody sends a picture or sound yet.' : 'Nobody else is here yet.'}</p>
          {invite}
        </div>
      )}
    </div>
  );
}
