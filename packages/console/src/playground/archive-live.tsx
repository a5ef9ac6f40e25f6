import type { PlaygroundArchive } from '@cloister/protocol';
import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { Notice } from '../kit/notice.tsx';
import { SelectField } from '../kit/select-field.tsx';
import type { Api } from './api.ts';
import { layoutOptions, stateOf } from './archive-words.ts';
import { type Problem, problemOf } from './words.ts';

interface Props {
  archive: PlaygroundArchive;
  api: Api;
  sessionId: string;
  onChanged: () => Promise<void>;
}

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** One archive that is recorded now. */
export function ArchiveLive({ archive, api, sessionId, onChanged }: Props) {
  const { archiveId, automatic, createdAt, hasVideo, layout } = archive;
  const [problem, setProblem] = useState<Problem | null>(null);
  const [stopping, setStopping] = useState(false);
  /** What was chosen and is not yet in the list. */
  const [chosen, setChosen] = useState<string | null>(null);
  const attempt = async (change: () => Promise<unknown>, failed: string) => {
    setProblem(null);
    try {
      await change();
      await onChanged();
    } catch (error) {
      setProblem(problemOf(error, failed));
    }
  };
  const stop = async () => {
    setStopping(true);
    await attempt(() => api.stopArchive(sessionId, archiveId), 'The recording did not stop');
    setStopping(false);
  };
  const layOut = async (type: string) => {
    if (type === layout || type === 'custom') return;
    setChosen(type);
    await attempt(() => api.layOutArchive(sessionId, archiveId, type), 'The layout did not change');
    setChosen(null);
  };
  const shown = chosen ?? layout;
  return (
    <div className="archive-live">
      <p className="archive-live-state">
        <span className="recorded-dot" aria-hidden="true" />
        <span>
          {stateOf(archive)}, since <time dateTime={new Date(createdAt).toISOString()}>{time.format(createdAt)}</time>
        </span>
      </p>
      {problem && (
        <Notice tone="problem" title={problem.title} role="alert">
          {problem.text}
        </Notice>
      )}
      {hasVideo && shown !== null && (
        <SelectField label="Layout" icon="grid" value={shown} options={layoutOptions(shown)} onChange={layOut} />
      )}
      {automatic ? (
        <p className="archive-note">The session records itself: it stops when everybody has left.</p>
      ) : (
        <Button icon="stop" busy={stopping} onPress={stop}>
          {stopping ? 'Stopping' : 'Stop recording'}
        </Button>
      )}
    </div>
  );
}
