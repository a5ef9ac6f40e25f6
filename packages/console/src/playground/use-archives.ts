import type { PlaygroundArchives } from '@cloister/protocol';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useStore } from '../kit/use-store.ts';
import type { Room } from './room.ts';
import { type Problem, problemOf } from './words.ts';

/** How often the list is read again while it is in sight. */
const READ_MS = 2000;

export interface ArchiveList {
  /** Null until it was read once. */
  readonly known: PlaygroundArchives | null;
  /** It could not be read; what is shown is the last one. */
  readonly problem: Problem | null;
  read(): Promise<void>;
}

/** The archives of the session, read on a timer and whenever one begins or ends. */
export function useArchives({ api, call }: Room): ArchiveList {
  const { sessionId, archives } = useStore(call.state);
  const [known, setKnown] = useState<PlaygroundArchives | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const readings = useRef(0);
  const read = useCallback(async () => {
    if (!sessionId) return;
    readings.current += 1;
    const reading = readings.current;
    // Of two answers under way, that of the later question holds.
    const newest = () => reading === readings.current;
    try {
      const list = await api.archives(sessionId);
      if (!newest()) return;
      setKnown(list);
      setProblem(null);
    } catch (error) {
      if (newest()) setProblem(problemOf(error, 'The archives could not be read'));
    }
  }, [api, sessionId]);
  useEffect(() => {
    const timer = setInterval(read, READ_MS);
    return () => clearInterval(timer);
  }, [read]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: one that begins or ends is the reason to read again
  useEffect(() => void read(), [read, archives]);
  return { known, problem, read };
}
