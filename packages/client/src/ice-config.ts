/** OpenTok's `iceConfig`: the application's own TURN servers, beside the platform's or instead of them. */
import type { IceServer } from '@cloister/protocol';
import { OtError } from './errors.ts';

export interface IceConfig {
  includeServers: 'all' | 'custom';
  transportPolicy: 'all' | 'relay';
  customServers: Array<{ urls: string | string[]; username?: string; credential?: string }>;
}

/** The servers to use: the application's first, then the platform's unless only its own are wanted. */
export function iceServersOf(config: IceConfig | undefined, offered: readonly IceServer[]): IceServer[] {
  if (!config) return [...offered];
  const custom = (config.customServers ?? []).map(({ urls, ...rest }) => ({ ...rest, urls: [urls].flat() }));
  if (config.includeServers !== 'custom') return [...custom, ...offered];
  if (config.transportPolicy === 'relay' && custom.length === 0) {
    throw new OtError('OT_INVALID_PARAMETER', 'iceConfig allows only its own relays but names none in customServers');
  }
  return custom;
}

export function transportPolicyOf(config: IceConfig | undefined): RTCIceTransportPolicy {
  return config?.transportPolicy === 'relay' ? 'relay' : 'all';
}
