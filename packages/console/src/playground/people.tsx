import { Button } from '../kit/button.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Person, RemoteTile } from './call-state.ts';
import { initialsOf } from './person.ts';
import type { Room } from './room.ts';

/** Everybody who is connected; a moderator mutes and disconnects from here. */
export function People({ room }: { room: Room }) {
  const { people, remote, may } = useStore(room.call.state);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls must be reachable by the keyboard */}
      <section className="panel-body" tabIndex={0} aria-label="Everybody who is here">
        <ul className="people">
          {people.map((person) => (
            <PersonRow
              key={person.connectionId}
              person={person}
              camera={remote.find((tile) => tile.connectionId === person.connectionId && tile.kind === 'camera')}
              room={room}
            />
          ))}
        </ul>
      </section>
      {may.mute && people.length > 1 && (
        <div className="panel-foot">
          <Button icon="microphoneOff" onPress={() => void room.call.muteOthers()}>
            Mute everybody else
          </Button>
        </div>
      )}
    </>
  );
}

function PersonRow({ person, camera, room }: { person: Person; camera: RemoteTile | undefined; room: Room }) {
  const { may } = useStore(room.call.state);
  const { name, own, connectionId } = person;
  return (
    <li className="person">
      <span className="avatar avatar-small" aria-hidden="true">
        {initialsOf(name)}
      </span>
      <span className="person-words">
        <span className="person-name">{own ? `${name} (you)` : name}</span>
        {!own && <span className="person-state">{stateWords(camera)}</span>}
      </span>
      {!own && (
        <span className="person-actions">
          {may.mute && camera?.hasAudio && (
            <Button
              tone="quiet"
              icon="microphoneOff"
              onPress={() => void room.call.mute(camera.streamId)}
              aria-label={`Mute ${name}`}
            >
              Mute
            </Button>
          )}
          {may.disconnect && (
            <Button
              tone="quiet"
              icon="leave"
              onPress={() => void room.call.disconnectPerson(connectionId)}
              aria-label={`Disconnect ${name}`}
            >
              Disconnect
            </Button>
          )}
        </span>
      )}
    </li>
  );
}

function stateWords(camera: RemoteTile | undefined): string {
  if (!camera) return 'Watches and listens';
  const sound = camera.hasAudio ? 'Microphone on' : 'Microphone off';
  return `${sound}, ${camera.hasVideo ? 'camera on' : 'camera off'}`;
}
