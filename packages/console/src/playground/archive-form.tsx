import type { PlaygroundArchives } from '@cloister/protocol';
import { type FormEvent, Fragment, useState } from 'react';
import { Form } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { Icon } from '../kit/icon.tsx';
import { Notice } from '../kit/notice.tsx';
import { SelectField } from '../kit/select-field.tsx';
import type { Api } from './api.ts';
import { contents, layouts, resolutions, sealingWords } from './archive-words.ts';
import { type Problem, problemOf } from './words.ts';

interface Props {
  api: Api;
  sessionId: string;
  known: PlaygroundArchives;
  onChanged: () => Promise<void>;
}

/** What an archive is to be like, to whom it is sealed, and where it goes. */
export function ArchiveForm({ api, sessionId, known, onChanged }: Props) {
  const [content, setContent] = useState('both');
  const [resolution, setResolution] = useState('640x480');
  const [type, setType] = useState('bestFit');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const start = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    const wish = { resolution, layout: { type }, hasAudio: content !== 'picture', hasVideo: content !== 'sound' };
    try {
      await api.startArchive(sessionId, wish);
      await onChanged();
    } catch (error) {
      setProblem(problemOf(error, 'The recording did not start'));
    }
    setBusy(false);
  };
  return (
    <Form className="archive-form" onSubmit={start}>
      {problem && (
        <Notice tone="problem" title={problem.title} role="alert">
          {problem.text}
        </Notice>
      )}
      <SelectField label="What is recorded" icon="camera" value={content} options={contents} onChange={setContent} />
      {content !== 'sound' && (
        <>
          <SelectField
            label="Resolution"
            icon="screen"
            value={resolution}
            options={resolutions}
            onChange={setResolution}
          />
          <SelectField label="Layout" icon="grid" value={type} options={layouts} onChange={setType} />
        </>
      )}
      <SealedTo known={known} />
      <Button tone="primary" icon="record" type="submit" busy={busy}>
        {busy ? 'Starting' : 'Start recording'}
      </Button>
      <p className="archive-note">Everybody in the call sees that it is being recorded.</p>
    </Form>
  );
}

/** The fingerprints are as long as somebody compares them by eye; the whole of each is there to be looked at. */
function SealedTo({ known }: { known: PlaygroundArchives }) {
  const { to, opens, goes } = sealingWords(known);
  return (
    <p className="archive-seal">
      <Icon name="key" size={18} />
      <span>
        {to}
        {known.certificateSha256.map((sha256, index) => (
          <Fragment key={sha256}>
            {index === 0 ? ', SHA-256 ' : ', '}
            <code title={sha256}>{sha256.slice(0, 16)}…</code>
          </Fragment>
        ))}
        {`. ${opens}${goes}`}
      </span>
    </p>
  );
}
