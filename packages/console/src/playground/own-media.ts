/**
 * This person's camera and microphone: one OpenTok publisher, made before joining so that people see themselves first,
 * and published as it is when they join.
 */

import { createStore } from '../kit/store.ts';
import type { Ot, OtDevice, OtError, OtPublisher, OtPublisherProperties } from './ot.ts';
import { type Problem, problemOf } from './words.ts';

export interface MediaState {
  /** `missing`: no device of either kind; `busy`: another program holds it. */
  readonly status: 'off' | 'asking' | 'ready' | 'refused' | 'missing' | 'busy' | 'failed';
  readonly problem: Problem | null;
  /** The picture, muted; null while there is none. */
  readonly element: HTMLElement | null;
  readonly aspect: number;
  readonly hasMicrophone: boolean;
  readonly hasCamera: boolean;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly devices: readonly OtDevice[];
  readonly microphoneId: string | null;
  readonly cameraId: string | null;
}

const NOTHING: MediaState = {
  status: 'off',
  problem: null,
  element: null,
  aspect: 4 / 3,
  hasMicrophone: false,
  hasCamera: false,
  microphoneOn: true,
  cameraOn: true,
  devices: [],
  microphoneId: null,
  cameraId: null,
};

/** Cores that it takes to encode 1280x720 beside everything else of a call. */
const CORES_FOR_HD = 4;

const statuses: Readonly<Record<string, MediaState['status']>> = {
  OT_USER_MEDIA_ACCESS_DENIED: 'refused',
  OT_NO_DEVICES_FOUND: 'missing',
  OT_HARDWARE_UNAVAILABLE: 'busy',
};

const noCamera: Problem = {
  title: 'No camera found',
  text: 'Others hear you and see your initials. Plug a camera in and try again to be seen.',
};

const noMicrophone: Problem = {
  title: 'No microphone found',
  text: 'Others see you but cannot hear you. Plug a microphone in and try again to be heard.',
};

export class OwnMedia {
  readonly state = createStore<MediaState>(NOTHING);
  /** How loud the microphone is, 0 to 1; apart, since it changes many times a second. */
  readonly level = createStore({ value: 0 });
  #ot: Ot;
  #publisher: OtPublisher | null = null;
  /** Counts starts, so that an answer to an earlier one is dropped. */
  #start = 0;
  #resolution: OtPublisherProperties['resolution'];

  /** @param cores of this machine: with few of them the picture stays small, since it is encoded in three sizes */
  constructor(ot: Ot, cores: number) {
    this.#ot = ot;
    this.#resolution = cores < CORES_FOR_HD ? '640x480' : '1280x720';
  }

  /** The publisher to hand to `session.publish`; null while there is nothing to send. */
  get publisher(): OtPublisher | null {
    return this.state.get().status === 'ready' ? this.#publisher : null;
  }

  /** Asks for what is plugged in. Resolves when the person or the browser has answered; never rejects. */
  async start(): Promise<void> {
    this.release();
    const start = ++this.#start;
    this.state.set({ status: 'asking' });
    try {
      const devices = await this.#ot.getDevices();
      if (start !== this.#start) return;
      await this.#open(start, devices);
    } catch (error) {
      if (start === this.#start) this.#fail(error);
    }
  }

  async #open(start: number, devices: readonly OtDevice[]): Promise<void> {
    const hasCamera = devices.some((device) => device.kind === 'videoInput');
    const hasMicrophone = devices.some((device) => device.kind === 'audioInput');
    if (!hasCamera && !hasMicrophone) {
      throw Object.assign(new Error('No camera or microphone is connected'), { name: 'OT_NO_DEVICES_FOUND' });
    }
    const { microphoneOn, cameraOn } = this.state.get();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: OtError) => (error ? reject(error) : resolve());
      this.#publisher = this.#ot.initPublisher(
        undefined,
        {
          insertDefaultUI: false,
          publishAudio: microphoneOn,
          publishVideo: cameraOn,
          resolution: this.#resolution,
          ...(!hasMicrophone && { audioSource: null }),
          ...(!hasCamera && { videoSource: null }),
        },
        done,
      );
      this.#listen(this.#publisher, start);
    });
    if (start !== this.#start) return;
    const problem = hasCamera ? (hasMicrophone ? null : noMicrophone) : noCamera;
    this.state.set({ status: 'ready', hasCamera, hasMicrophone, problem });
    await this.#readDevices();
  }

  #listen(publisher: OtPublisher, start: number): void {
    const current = () => start === this.#start;
    publisher.on('videoElementCreated', ({ element }) => current() && this.state.set({ element }));
    publisher.on('audioLevelUpdated', ({ audioLevel }) => current() && this.level.set({ value: audioLevel }));
    publisher.on('muteForced', () => current() && this.state.set({ microphoneOn: false }));
    publisher.on('videoDimensionsChanged', ({ newValue: { width, height } }) => {
      if (current() && width > 0 && height > 0) this.state.set({ aspect: width / height });
    });
  }

  /** Names of devices are known only after permission was given. */
  async #readDevices(): Promise<void> {
    const devices = await this.#ot.getDevices();
    const publisher = this.publisher;
    if (!publisher) return;
    this.state.set({
      devices,
      microphoneId: publisher.getAudioSource()?.getSettings().deviceId ?? null,
      cameraId: publisher.getVideoSource().deviceId ?? null,
    });
  }

  #fail(error: unknown): void {
    const name = error instanceof Error ? error.name : String((error as Partial<OtError> | null)?.name);
    this.#drop();
    this.state.set({ status: statuses[name] ?? 'failed', problem: problemOf(error, 'The camera did not start') });
  }

  setMicrophone(on: boolean): void {
    this.#publisher?.publishAudio(on);
    this.state.set({ microphoneOn: on });
  }

  setCamera(on: boolean): void {
    this.#publisher?.publishVideo(on);
    this.state.set({ cameraOn: on });
  }

  /** Changes to another device; the call goes on with the old one where that does not work. */
  async choose(kind: OtDevice['kind'], deviceId: string): Promise<void> {
    const publisher = this.publisher;
    if (!publisher) return;
    try {
      if (kind === 'audioInput') await publisher.setAudioSource(deviceId);
      else await publisher.setVideoSource(deviceId);
      this.state.set({
        problem: null,
        ...(kind === 'audioInput' ? { microphoneId: deviceId } : { cameraId: deviceId }),
      });
    } catch (error) {
      this.state.set({ problem: problemOf(error, 'The device could not be used') });
    }
  }

  /** Lets the devices go; what was switched off stays switched off for the next start. */
  release(): void {
    this.#start++;
    this.#drop();
    const { microphoneOn, cameraOn } = this.state.get();
    this.state.set({ ...NOTHING, microphoneOn, cameraOn });
  }

  #drop(): void {
    this.#publisher?.destroy();
    this.#publisher = null;
    this.level.set({ value: 0 });
    this.state.set({ element: null, hasCamera: false, hasMicrophone: false });
  }
}
