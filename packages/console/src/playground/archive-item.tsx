import type { PlaygroundArchive } from '@cloister/protocol';
import { useCallback, useState } from 'react';
import { Disclosure, DisclosurePanel, Heading, Button as Trigger } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { CopyButton } from '../kit/copy-button.tsx';
import { Icon } from '../kit/icon.tsx';
import { Notice } from '../kit/notice.tsx';
import type { Api } from './api.ts';
import { isPlayable, openCommand, opensslCommands, pastOf } from './archive-words.ts';
import { type Problem, problemOf } from './words.ts';

interface Props {
  archive: PlaygroundArchive;
  api: Api;
  sessionId: string;
}

const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** One archive that is not recorded any more, and what can be done with it. */
export function ArchiveItem({ archive, api, sessionId }: Props) {
  const { archiveId, createdAt, fileName, linked, sealed, status } = archive;
  const [played, setPlayed] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const name = when.format(createdAt);
  const follow = async (use: (path: string) => void) => {
    setProblem(null);
    try {
      use(await api.archiveLink(sessionId, archiveId));
    } catch (error) {
      setProblem(problemOf(error, 'The archive could not be opened'));
    }
  };
  const broken = () => {
    setPlayed(null);
    setProblem({ title: 'The archive stopped playing', text: 'Its link ends after ten minutes. Press Play again.' });
  };
  return (
    <li className="archive" data-status={status} data-archive={archiveId}>
      <p className="archive-when">{name}</p>
      <p className="archive-facts">{pastOf(archive)}</p>
      {problem && (
        <Notice tone="problem" title={problem.title} role="alert">
          {problem.text}
        </Notice>
      )}
      {played !== null && <Player path={played} name={name} archive={archive} onBroken={broken} />}
      {linked && (
        <div className="archive-actions">
          {isPlayable(archive) && (
            <Button
              icon={played === null ? 'play' : 'close'}
              onPress={() => (played === null ? follow(setPlayed) : setPlayed(null))}
              aria-label={played === null ? `Play the archive of ${name}` : `Close the player of ${name}`}
            >
              {played === null ? 'Play' : 'Close'}
            </Button>
          )}
          <Button
            icon="download"
            onPress={() => follow((path) => save(path, fileName))}
            aria-label={`Download the archive of ${name}`}
          >
            Download
          </Button>
        </div>
      )}
      {linked && sealed && <HowToOpen archive={archive} />}
    </li>
  );
}

interface PlayerProps {
  path: string;
  name: string;
  archive: PlaygroundArchive;
  onBroken: () => void;
}

/** An archive has no captions: nobody has written down what was said. */
function Player({ path, name, archive, onBroken }: PlayerProps) {
  const inSight = useCallback((player: HTMLMediaElement | null) => player?.scrollIntoView({ block: 'nearest' }), []);
  const all = { className: 'archive-player', src: path, controls: true, autoPlay: true, onError: onBroken };
  const label = `The archive of ${name}`;
  // Of its size before its first picture is there, so that what is below stays where it is.
  const style = { aspectRatio: archive.resolution?.replace('x', ' / ') };
  // biome-ignore-start lint/a11y/useMediaCaption: see above
  return archive.hasVideo ? (
    <video {...all} ref={inSight} style={style} playsInline aria-label={label} />
  ) : (
    <audio {...all} ref={inSight} aria-label={label} />
  );
  // biome-ignore-end lint/a11y/useMediaCaption: see above
}

/** The commands for the holder of the private key. */
function HowToOpen({ archive }: { archive: PlaygroundArchive }) {
  const ways = [
    { title: 'With Cloister’s command', what: 'command', text: openCommand(archive) },
    // Our own format has its key inside, and openssl knows nothing of it.
    ...(archive.sealed?.password
      ? [{ title: 'With openssl', what: 'openssl commands', text: opensslCommands(archive) }]
      : []),
  ];
  return (
    <Disclosure className="earlier">
      <Heading level={4}>
        <Trigger slot="trigger" className="earlier-button">
          <Icon name="chevron" size={16} />
          How to open it
        </Trigger>
      </Heading>
      <DisclosurePanel>
        <p className="archive-note">
          Download it to where the private key of the certificate is, here as <code>key.pem</code>. It does not open
          anywhere else.
        </p>
        {ways.map(({ title, what, text }) => (
          <div className="command" key={what} data-command={what}>
            <p className="command-title">{title}</p>
            <pre className="command-text">{text}</pre>
            <CopyButton text={text} what={what} otherwise="Copy it from above" />
          </div>
        ))}
      </DisclosurePanel>
    </Disclosure>
  );
}

/** Saves what the server sends; the page stays where it is. */
function save(path: string, fileName: string): void {
  Object.assign(document.createElement('a'), { href: path, download: fileName }).click();
}
