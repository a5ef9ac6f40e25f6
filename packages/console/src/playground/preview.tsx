import { Button } from '../kit/button.tsx';
import { Icon } from '../kit/icon.tsx';
import { Notice } from '../kit/notice.tsx';
import { useStore } from '../kit/use-store.ts';
import { DevicePickers } from './device-pickers.tsx';
import { MicrophoneMeter } from './microphone-meter.tsx';
import type { MediaState, OwnMedia } from './own-media.ts';
import { VideoSlot } from './video-slot.tsx';

/** How one will look and sound, and what is in the way of that. */
export function Preview({ media, watches }: { media: OwnMedia; watches: boolean }) {
  const state = useStore(media.state);
  const { status, problem } = state;
  const again = (
    <Button icon="camera" onPress={() => media.start()}>
      Try again
    </Button>
  );
  return (
    <section className="preview" aria-label="Your camera and microphone">
      <div className="preview-picture">
        {status === 'ready' && state.hasCamera && state.cameraOn ? (
          <VideoSlot element={state.element} mirrored />
        ) : (
          <div className="preview-empty">
            <Icon name="cameraOff" size={36} />
            <p>{emptyWords(state, watches)}</p>
          </div>
        )}
        {status === 'ready' && <PreviewBar media={media} state={state} />}
      </div>
      {!watches && problem && (
        <Notice tone="warning" title={problem.title} action={again} role="status">
          {problem.text}
        </Notice>
      )}
      {status === 'ready' && <DevicePickers media={media} />}
    </section>
  );
}

function emptyWords({ status, hasCamera }: MediaState, watches: boolean): string {
  if (watches) return 'A subscriber sends nothing';
  if (status === 'asking') return 'Waiting for your camera; your browser may ask you';
  if (status === 'ready' && hasCamera) return 'Your camera is off';
  return 'No picture';
}

function PreviewBar({ media, state }: { media: OwnMedia; state: MediaState }) {
  const { microphoneOn, cameraOn } = state;
  return (
    <div className="preview-bar">
      <Button
        icon={microphoneOn ? 'microphone' : 'microphoneOff'}
        words="hidden-on-phone"
        isDisabled={!state.hasMicrophone}
        onPress={() => media.setMicrophone(!microphoneOn)}
      >
        {microphoneOn ? 'Mute' : 'Unmute'}
      </Button>
      <Button
        icon={cameraOn ? 'camera' : 'cameraOff'}
        words="hidden-on-phone"
        isDisabled={!state.hasCamera}
        onPress={() => media.setCamera(!cameraOn)}
      >
        {cameraOn ? 'Stop camera' : 'Start camera'}
      </Button>
      {state.hasMicrophone && microphoneOn && <MicrophoneMeter media={media} />}
    </div>
  );
}
