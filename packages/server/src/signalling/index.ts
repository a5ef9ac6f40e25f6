/** Signalling: WebSocket frames to `core` and its events to frames, with reconnection and bounded queues. */
export { Channel } from './channel.ts';
export { Gateway, type GatewayDeps, readFrame, signallingPath } from './gateway.ts';
