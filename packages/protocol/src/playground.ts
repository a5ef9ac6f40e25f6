/**
 * What the server tells the playground of its TURN server. `missing`: coturn is not installed. `failed`: it does not run.
 * `elsewhere`: the operator runs one on another host.
 */
export type PlaygroundTurn = 'running' | 'failed' | 'missing' | 'off' | 'elsewhere';

/** What the server tells the playground of the archives of a session. */
export interface PlaygroundArchive {
  readonly archiveId: string;
  readonly status: 'started' | 'paused' | 'stopped' | 'available' | 'uploaded' | 'expired' | 'failed' | 'deleted';
  /** Why it ended; constant words. */
  readonly reason: string;
  /** Such as `640x480`; null where the tracks stay apart. */
  readonly resolution: string | null;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** The type of its layout; null unless it is recorded now, and composed. */
  readonly layout: string | null;
  /** Begun by its session (`archiveMode: always`): it stops with it, and not before. */
  readonly automatic: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly durationMs: number;
  /** Of what a download gives. */
  readonly sizeBytes: number;
  /** The name of its file, whose ending says what it is. */
  readonly fileName: string;
  /** What opening it needs beside the private key; null where this server opens it for a download. */
  readonly sealed: { readonly password: string; readonly sha256: string } | null;
  /** Whether a link leads to it: also to what is left of one that failed. */
  readonly linked: boolean;
}

/** Where a project's archives go from now on. */
export interface PlaygroundStorage {
  readonly type: 's3' | 'azure';
  /** What the storage is to encrypt with, and has to confirm; null where it is not asked. */
  readonly sse: 's3' | 'kms' | null;
}

export interface PlaygroundArchives {
  /** Of each certificate that the project's archives are sealed to from now on; none: with the project's key. Hexadecimal. */
  readonly certificateSha256: readonly string[];
  /** Null: they stay with the platform. */
  readonly storage: PlaygroundStorage | null;
  /** Newest first. */
  readonly archives: readonly PlaygroundArchive[];
}

/**
 * What a secret of the participants (`encryptionSecret`) is to a session. `needed`: it is end-to-end encrypted, and nobody joins without.
 * `possible`: it is relayed, and its frames are sealed with or without one. `none`: its frames are not sealed.
 */
export type PlaygroundSecret = 'needed' | 'possible' | 'none';

export interface PlaygroundSession {
  readonly sessionId: string;
  readonly secret: PlaygroundSecret;
}
