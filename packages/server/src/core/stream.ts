/** A published stream: what others see of it, and what its publisher may change. */
import type { MediaKind, StreamShape, VideoType } from '@cloister/protocol';
import { type Connection, connectionFacts } from './connection.ts';

export interface Stream {
  readonly id: string;
  readonly connection: Connection;
  readonly createdAt: number;
  readonly name: string;
  readonly initials: string;
  readonly videoType: VideoType | null;
  readonly audioFallback: boolean;
  hasAudio: boolean;
  hasVideo: boolean;
  dimensions: { width: number; height: number };
  readonly frameRate: number;
  layoutClasses: readonly string[];
  /** Tracks that its publisher has said will come, and that are not there yet. */
  readonly awaited: Set<MediaKind>;
  /** Whether a track of it is there: its publisher need not say which will come. */
  begun: boolean;
  /** Whether the others know of it: from its first allowed leg on, once a track is there and none is awaited. */
  announced: boolean;
}

/** How a stream appears to clients. */
export function streamShape(stream: Stream): StreamShape {
  return {
    streamId: stream.id,
    connectionId: stream.connection.id,
    creationTime: stream.createdAt,
    name: stream.name,
    initials: stream.initials,
    videoType: stream.videoType,
    hasAudio: stream.hasAudio,
    hasVideo: stream.hasVideo,
    hasCaptions: false,
    videoDimensions: stream.dimensions,
    frameRate: stream.frameRate,
  };
}

/** How a stream appears in an event. */
export function streamFacts(stream: Stream) {
  return {
    id: stream.id,
    connection: connectionFacts(stream.connection),
    createdAt: stream.createdAt,
    name: stream.name,
    videoType: stream.videoType,
  };
}
