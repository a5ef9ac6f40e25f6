import type { ConnectionShape } from '@cloister/protocol';

/** Another client of the session, or this one. */
export class Connection {
  readonly connectionId: string;
  /** Milliseconds since 1970. */
  readonly creationTime: number;
  /** The data that the application's server put into the token. */
  readonly data: string;

  constructor(shape: ConnectionShape) {
    this.connectionId = shape.connectionId;
    this.creationTime = shape.creationTime;
    this.data = shape.data;
  }
}
