import { SelectField } from '../kit/select-field.tsx';
import { useStore } from '../kit/use-store.ts';
import type { OtDevice } from './ot.ts';
import type { OwnMedia } from './own-media.ts';

/** Which camera and microphone, where there is one at all. */
export function DevicePickers({ media }: { media: OwnMedia }) {
  const { devices, cameraId, microphoneId } = useStore(media.state);
  const cameras = optionsOf(devices, 'videoInput', 'Camera');
  const microphones = optionsOf(devices, 'audioInput', 'Microphone');
  return (
    <div className="devices">
      {cameras.length > 0 && (
        <SelectField
          label="Camera"
          icon="camera"
          value={cameraId}
          options={cameras}
          onChange={(id) => void media.choose('videoInput', id)}
        />
      )}
      {microphones.length > 0 && (
        <SelectField
          label="Microphone"
          icon="microphone"
          value={microphoneId}
          options={microphones}
          onChange={(id) => void media.choose('audioInput', id)}
        />
      )}
    </div>
  );
}

function optionsOf(devices: readonly OtDevice[], kind: OtDevice['kind'], noun: string) {
  return devices
    .filter((device) => device.kind === kind && device.deviceId)
    .map((device, index) => ({ id: device.deviceId, name: device.label || `${noun} ${index + 1}` }));
}
