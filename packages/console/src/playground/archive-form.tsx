import { type FormEvent, useState } from 'react';
import { Form } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { Icon } from '../kit/icon.tsx';
import { Notice } from '../kit/notice.tsx';
import { SelectField } from '../kit/select-field.tsx';
import type { Api } from './api.ts';
import { contents, layouts, resolutions } from './archive-words.ts';
import { type Problem, problemOf } from './words.ts';

interface Props {
  api: Api;
  sessionId: string;
  certificateSha256: string | null;
  onChanged: () => Promise<void>;
}

/** What an archive is to be like, and to whom it is sealed. */
export function ArchiveForm({ api, sessionId, certificateSha256, onChanged }: Props) {
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
      <SealedTo certificateSha256={certificateSha256} />
      <Button tone="primary" icon="record" type="submit" busy={busy}>
        {busy ? 'Starting' : 'Start recording'}
      </Button>
      <p className="archive-note">Everybody in the call sees that it is being recorded.</p>
    </Form>
  );
}

function SealedTo({ certificateSha256 }: { certificateSha256: string | null }) {
  return (
    <p className="archive-seal">
      <Icon name="key" size={18} />
      {certificateSha256 === null ? (
        <span>Sealed with the project’s key. This server opens it when you play it.</span>
      ) : (
        <span>
          Sealed to the project’s certificate, SHA-256 <code>{certificateSha256.slice(0, 16)}…</code> Only its private
          key opens it, and this server does not have that.
        </span>
      )}
    </p>
  );
}
