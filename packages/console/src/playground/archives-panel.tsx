import { useEffect, useRef } from 'react';
import { useStore } from '../kit/use-store.ts';
import { ArchiveForm } from './archive-form.tsx';
import { ArchiveItem } from './archive-item.tsx';
import { ArchiveLive } from './archive-live.tsx';
import { PanelWait, StaleNotice } from './panel-state.tsx';
import type { Room } from './room.ts';
import { useArchives } from './use-archives.ts';

/** What a moderator records: start, layout and stop, then every archive of the session. */
export function ArchivesPanel({ room }: { room: Room }) {
  const { sessionId } = useStore(room.call.state);
  const { known, problem, read } = useArchives(room);
  const now = useRef<HTMLDivElement>(null);
  const live = known?.archives.filter(({ status }) => status === 'started' || status === 'paused') ?? [];
  const past = known?.archives.filter((archive) => !live.includes(archive)) ?? [];
  // The button that was pressed has made way for others.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is recorded decides which buttons there are
  useEffect(() => {
    if (document.activeElement === document.body) now.current?.querySelector('button')?.focus();
  }, [live.length]);
  if (!sessionId || !known) {
    return <PanelWait problem={problem} reading="Reading the archives." />;
  }
  const shared = { api: room.api, sessionId, onChanged: read };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls must be reachable by the keyboard
    <section className="panel-body archives" tabIndex={0} aria-label="Archives of this session">
      <StaleNotice problem={problem} />
      <div className="archives-now" ref={now}>
        {live.map((archive) => (
          <ArchiveLive key={archive.archiveId} archive={archive} {...shared} />
        ))}
        {live.length === 0 && <ArchiveForm known={known} {...shared} />}
      </div>
      {past.length > 0 && (
        <>
          <h3 className="archives-title">Archives of this session</h3>
          <ul>
            {past.map((archive) => (
              <ArchiveItem key={archive.archiveId} archive={archive} {...shared} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
