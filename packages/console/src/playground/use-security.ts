import type { SecurityRecord } from '@cloister/protocol';
import { useCallback, useEffect, useState } from 'react';
import { useStore } from '../kit/use-store.ts';
import { type LegRow, legRows } from './legs.ts';
import type { Room } from './room.ts';
import { type Problem, problemOf } from './words.ts';

/** How often the server's record is read again while a call runs. */
const READ_MS = 3000;

export interface Security {
  readonly record: SecurityRecord | null;
  readonly rows: readonly LegRow[];
  /** The record could not be read; what is shown is the last one. */
  readonly problem: Problem | null;
}

/** The security record of the session, joined with what this browser itself saw. Read on a timer and on every new leg. */
export function useSecurity({ api, call }: Room): Security {
  const { sessionId, connectionId, ownLegs, remote, phase } = useStore(call.state);
  const [record, setRecord] = useState<SecurityRecord | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const read = useCallback(async () => {
    if (!sessionId) return;
    try {
      setRecord(await api.security(sessionId));
      setProblem(null);
    } catch (error) {
      setProblem(problemOf(error, 'The record could not be read'));
    }
  }, [api, sessionId]);
  useEffect(() => {
    if (phase !== 'connected') return;
    const timer = setInterval(read, READ_MS);
    return () => clearInterval(timer);
  }, [read, phase]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new leg or stream is the reason to read again
  useEffect(() => void read(), [read, ownLegs, remote.length]);
  const directory = { ownConnectionId: connectionId, people: call.seenPeople, streams: call.seenStreams };
  return { record, problem, rows: record ? legRows(record, ownLegs, directory) : [] };
}
