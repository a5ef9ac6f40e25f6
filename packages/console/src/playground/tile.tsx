import { Icon } from '../kit/icon.tsx';
import type { Tile as TileState } from './call-state.ts';
import type { Box } from './layout.ts';
import { initialsOf } from './person.ts';
import { VideoSlot } from './video-slot.tsx';

/** One stream in its place: the picture or the person's initials, and a plate with the name and what is off. */
export function Tile({ tile, box }: { tile: TileState; box: Box }) {
  const { kind, own, hasAudio, hasVideo, problem } = tile;
  const pictured = hasVideo && !tile.fallback && !problem && tile.understood;
  const style = { width: box.width, height: box.height, transform: `translate(${box.left}px, ${box.top}px)` };
  return (
    <li className="tile" style={style} data-speaking={tile.speaking} data-kind={kind} data-own={own}>
      <VideoSlot
        element={tile.element}
        fit={kind === 'screen' ? 'contain' : 'cover'}
        mirrored={own && kind === 'camera'}
        hidden={!pictured}
      />
      {!pictured && (
        <div className="tile-person">
          <span className="avatar" aria-hidden="true">
            {initialsOf(tile.name)}
          </span>
          {problem && (
            <p className="tile-problem">
              <strong>{problem.title}.</strong> {problem.text}
            </p>
          )}
          {!tile.understood && <p className="tile-problem">Another secret: no picture and no sound</p>}
          {tile.understood && tile.fallback && <p className="tile-problem">Poor network: sound only for now</p>}
        </div>
      )}
      <p className="plate">
        {tile.speaking && <Icon name="sound" size={16} />}
        {kind === 'camera' && !hasAudio && <Icon name="microphoneOff" size={16} />}
        {kind === 'screen' && <Icon name="screen" size={16} />}
        <span className="plate-name" data-name={tile.name}>
          {plateName(tile)}
        </span>
        <span className="visually-hidden">{plateDetails(tile)}</span>
      </p>
    </li>
  );
}

function plateName({ own, name, kind }: TileState): string {
  if (kind === 'screen') return own ? 'Your screen' : `${name}’s screen`;
  return own ? `${name} (you)` : name;
}

function plateDetails({ kind, hasAudio, hasVideo, speaking }: TileState): string {
  if (kind === 'screen') return '';
  const sound = hasAudio ? 'microphone on' : 'microphone off';
  return `, ${sound}, ${hasVideo ? 'camera on' : 'camera off'}${speaking ? ', speaking' : ''}`;
}
