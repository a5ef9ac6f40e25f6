/** OpenTok's `iceConfig`: the application's own TURN servers, beside the platform's or instead of them. */
import type { IceServer, JoinAnswer } from '@cloister/protocol';
import type { AddressHold } from './address-hold.ts';
import { OtError } from './errors.ts';

export interface IceConfig {
  includeServers: 'all' | 'custom';
  transportPolicy: 'all' | 'relay';
  customServers: Array<{ urls: string | string[]; username?: string; credential?: string }>;
}

/** @throws OtError `OT_INVALID_PARAMETER` where it allows no way at all, whatever the platform offers. */
export function checkIceConfig(config: IceConfig): void {
  const { includeServers, transportPolicy, customServers = [] } = config ?? {};
  if (includeServers === 'custom' && transportPolicy === 'relay' && customServers.length === 0) {
    throw new OtError('OT_INVALID_PARAMETER', 'iceConfig allows only its own relays but names none in customServers');
  }
}

/**
 * The servers to use: the application's first, then the platform's unless only its own are wanted.
 * @throws OtError `OT_INVALID_PARAMETER` where only relays are allowed and there is none.
 */
export function iceServersOf(config: IceConfig | undefined, offered: readonly IceServer[]): IceServer[] {
  if (!config) return [...offered];
  checkIceConfig(config);
  const custom = (config.customServers ?? []).map(({ urls, ...rest }) => ({ ...rest, urls: [urls].flat() }));
  const servers = config.includeServers === 'custom' ? custom : [...custom, ...offered];
  if (config.transportPolicy === 'relay' && !servers.some(({ urls }) => urls.some(isTurn))) {
    throw new OtError(
      'OT_INVALID_PARAMETER',
      'iceConfig allows only relays, and there is none: name a TURN server in customServers, or have the platform run one',
    );
  }
  return servers;
}

function isTurn(url: string): boolean {
  return /^turns?:/i.test(url);
}

export function transportPolicyOf(config: IceConfig | undefined): RTCIceTransportPolicy {
  return config?.transportPolicy === 'relay' ? 'relay' : 'all';
}

/**
 * What transports are made with.
 * @param hold what the client holds to; null without `ipWhitelist`
 * @throws OtError `OT_ADDRESS_NOT_LISTED`, and as `iceServersOf`
 */
export function iceFor(
  config: IceConfig | undefined,
  { iceServers: offered, mediaMode }: Pick<JoinAnswer, 'iceServers' | 'mediaMode'>,
  hold: Pick<AddressHold, 'requireServers'> | null,
): { iceServers: IceServer[]; transportPolicy: RTCIceTransportPolicy } {
  const iceServers = iceServersOf(config, offered);
  hold?.requireServers(iceServers);
  // Where other clients are, no list says: to them it goes by relays, which are in it.
  const relays = hold !== null && mediaMode === 'relayed';
  return { iceServers, transportPolicy: relays ? 'relay' : transportPolicyOf(config) };
}
