import type { StreamShape } from '@cloister/protocol';
import type { Connection } from './connection.ts';
import type { Dimensions } from './events.ts';

/** One published stream; its properties follow what the publisher does. */
export class Stream {
  readonly connection: Connection;
  readonly streamId: string;
  /** Milliseconds since 1970. */
  readonly creationTime: number;
  readonly name: string;
  readonly initials: string;
  readonly videoType: 'camera' | 'screen' | 'custom' | undefined;
  readonly frameRate: number;
  hasAudio: boolean;
  hasVideo: boolean;
  hasCaptions: boolean;
  videoDimensions: Dimensions;

  constructor(shape: StreamShape, connection: Connection) {
    this.connection = connection;
    this.streamId = shape.streamId;
    this.creationTime = shape.creationTime;
    this.name = shape.name;
    this.initials = shape.initials;
    this.videoType = shape.videoType ?? undefined;
    this.frameRate = shape.frameRate;
    this.hasAudio = shape.hasAudio;
    this.hasVideo = shape.hasVideo;
    this.hasCaptions = shape.hasCaptions;
    this.videoDimensions = shape.videoDimensions;
  }
}
