/** The door of the media plane: mediasoup behind `core`'s port. */
export { createMediaPlane, type MediaPlaneOptions } from './plane.ts';
export { nominate } from './stun.ts';
export { type CoturnSettings, coturnConfig } from './turn/coturn-config.ts';
export { openTurn, type Turn, type TurnOptions } from './turn/turn.ts';
