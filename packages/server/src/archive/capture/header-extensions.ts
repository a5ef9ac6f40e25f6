/** What RTP header extensions say of the media in a packet. Bytes of strangers: what does not fit says nothing. */

/** Ids of the extensions of a track that a recorder reads; null: it has none of that kind. */
export interface ExtensionIds {
  readonly captureTime: number | null;
  readonly orientation: number | null;
}

const uris: Readonly<Record<keyof ExtensionIds, string>> = {
  captureTime: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  orientation: 'urn:3gpp:video-orientation',
};

export function extensionIdsOf(extensions: readonly { readonly uri: string; readonly id: number }[]): ExtensionIds {
  const idOf = (wanted: string) => extensions.find(({ uri }) => uri === wanted)?.id ?? null;
  return { captureTime: idOf(uris.captureTime), orientation: idOf(uris.orientation) };
}

/** By how much a picture is to be turned to the right, in degrees. */
export type Turn = 0 | 90 | 180 | 270;

const turns: readonly Turn[] = [0, 90, 180, 270];

/**
 * Coordination of video orientation (3GPP TS 26.114, 7.4.5): the last two bits are the turn. Whether it is mirrored, and which
 * camera it comes from, browsers neither send nor heed.
 */
export function turnOf(extension: Buffer | undefined): Turn {
  const [bits] = extension ?? [];
  return bits === undefined ? 0 : (turns[bits & 0x03] as Turn);
}

/**
 * The absolute capture time: milliseconds of the publisher's clock since 1900, as its sender reports have them. The offset that
 * may follow is a mixer's; here every stream comes from who captured it.
 */
export function captureTimeOf(extension: Buffer | undefined): number | null {
  if (!extension || (extension.length !== 8 && extension.length !== 16)) return null;
  return extension.readUInt32BE(0) * 1000 + (extension.readUInt32BE(4) * 1000) / 2 ** 32;
}
