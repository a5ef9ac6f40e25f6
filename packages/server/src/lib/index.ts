/** Clock, identifiers, queues, back-off, files, memory and RTP's packets: no word of the domain in here. */
export { atMost, type Cancel, type Clock, ManualClock, systemClock } from './clock.ts';
export { switchOffCoreDumps } from './core-dumps.ts';
export { giveBack } from './give-back.ts';
export { type Ids, systemIds } from './ids.ts';
export { isLoopback, isWildcard, localAddresses, ofFamily, ownAddressesOf } from './network.ts';
export { replaceFile } from './replace-file.ts';
export { parseRtp, type RtpPacket } from './rtp-packet.ts';
export {
  nearestName,
  type PortRange,
  type Prefix,
  type PrefixPort,
  parseDuration,
  parsePortRange,
  parsePrefix,
  parsePrefixPort,
  printDuration,
} from './values.ts';
