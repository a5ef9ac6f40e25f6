/** OpenTok's properties of a publisher. */
import type { GetUserMediaProperties, LegacyMediaStreamConstraints } from './capture.ts';
import type { CodecName } from './encodings.ts';
import { notOffered } from './errors.ts';
import type { PublisherStyle } from './style.ts';
import type { WidgetProperties } from './video-view.ts';

export type VideoContentHint = 'text' | 'detail' | 'motion' | '';
export type VideoCodec = CodecName;
export type PreferredVideoCodecs = 'automatic' | [VideoCodec, ...VideoCodec[]];

export type PublisherProperties = WidgetProperties &
  GetUserMediaProperties & {
    /** Bits a second of the sound. */
    audioBitrate?: number;
    audioFallback?: { publisher?: boolean; subscriber?: boolean };
    initials?: string;
    mirror?: boolean;
    name?: string;
    publishAudio?: boolean;
    publishVideo?: boolean;
    scalableScreenshare?: boolean;
    scalableVideo?: boolean;
    style?: Partial<PublisherStyle>;
    videoContentHint?: VideoContentHint;
    enableDtx?: boolean;
    enableStereo?: boolean;
    disableAudioInputDeviceManagement?: boolean;
    preferredVideoCodecs?: PreferredVideoCodecs;
    constraints?: MediaStreamConstraints | LegacyMediaStreamConstraints;
  };

/** Refuses properties that ask for what this SDK does not have, instead of leaving them out in silence. */
export function refuseAbsent(properties: object): void {
  const { videoFilter, audioFilter, publishCaptions, publishSenderStats } = properties as Record<string, unknown>;
  if (videoFilter) throw notOffered('videoFilter', 'put a track of your own through videoSource instead');
  if (audioFilter) throw notOffered('audioFilter', 'put a track of your own through audioSource instead');
  if (publishCaptions) throw notOffered('publishCaptions', 'the server makes no captions');
  if (publishSenderStats) throw notOffered('publishSenderStats', 'the server passes no statistics of senders on');
}
