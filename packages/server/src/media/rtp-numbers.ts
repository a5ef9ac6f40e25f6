/** Numbers in a client's RTP parameters that the way to the worker would cut off rather than refuse. */
import { PlatformError, type RtpParameters } from '@cloister/protocol';

const ssrcMax = 0xffff_ffff;
// RFC 8285: 1 to 255 with two-byte headers, of which 15 is for local use in the one-byte form.
const extensionIdMax = 255;

function within(name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw new PlatformError('MediaParametersInvalid', { why: `${name} is not a whole number from ${min} to ${max}` });
}

/** @throws PlatformError `MediaParametersInvalid` that names the number. */
export function checkNumbers({ codecs, headerExtensions, encodings }: RtpParameters): void {
  for (const { payloadType, clockRate, channels } of codecs) {
    within('payloadType', payloadType, 0, 127);
    within('clockRate', clockRate, 1, ssrcMax);
    within('channels', channels, 1, 255);
  }
  for (const { id } of headerExtensions ?? []) within('the id of a header extension', id, 1, extensionIdMax);
  for (const { ssrc, rtx, maxBitrate, codecPayloadType } of encodings ?? []) {
    within('ssrc', ssrc, 1, ssrcMax);
    within('the ssrc of rtx', (rtx as { ssrc?: unknown } | undefined)?.ssrc, 1, ssrcMax);
    within('maxBitrate', maxBitrate, 0, ssrcMax);
    within('codecPayloadType', codecPayloadType, 0, 127);
  }
}
