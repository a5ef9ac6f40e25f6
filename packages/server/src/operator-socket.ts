/** Where the operator's socket is. In a file of its own, so that a command finds it without loading the platform. */
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';

/** A Unix socket's path has a fixed place in the kernel's address structure. */
const socketPathBytes = 107;

/** Where the operator's socket of a data folder is. @throws PlatformError `ConfigInvalid` where its path is too long for a socket. */
export function operatorSocket(dataDir: string): string {
  const socket = path.join(dataDir, 'operator.sock');
  if (Buffer.byteLength(socket) <= socketPathBytes) return socket;
  throw new PlatformError('ConfigInvalid', {
    why: `dataDir ${dataDir}: ${socket} is longer than ${socketPathBytes} bytes, which a socket cannot be`,
  });
}
