/** Archives in the page's words, and the commands that open a sealed one. */
import type { PlaygroundArchive, PlaygroundArchives, PlaygroundStorage } from '@cloister/protocol';

interface Option {
  readonly id: string;
  readonly name: string;
}

/** OpenTok's layouts that need no stylesheet. */
export const layouts: readonly Option[] = [
  { id: 'bestFit', name: 'Best fit' },
  { id: 'pip', name: 'Picture in picture' },
  { id: 'verticalPresentation', name: 'Vertical presentation' },
  { id: 'horizontalPresentation', name: 'Horizontal presentation' },
];

export const resolutions: readonly Option[] = [
  '640x480',
  '1280x720',
  '1920x1080',
  '480x640',
  '720x1280',
  '1080x1920',
].map((id) => ({ id, name: sizeOf(id) }));

export const contents: readonly Option[] = [
  { id: 'both', name: 'Picture and sound' },
  { id: 'sound', name: 'Sound only' },
  { id: 'picture', name: 'Picture only' },
];

/** A layout by its name; one of a stylesheet is not among those to choose. */
export function layoutOptions(current: string): readonly Option[] {
  return layouts.some(({ id }) => id === current) ? layouts : [{ id: current, name: 'Custom' }, ...layouts];
}

/** `640x480` as people write it. */
export function sizeOf(resolution: string): string {
  return resolution.replace('x', ' × ');
}

/** Minutes and seconds, with hours where there are any. */
export function lengthOf(ms: number): string {
  const all = Math.round(ms / 1000);
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** In the units that file managers show. */
export function weightOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  // From 999.5 on, the next unit has the shorter number.
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[0]}`;
}

/** The state of an archive, for the line below its name. */
export function stateOf({ status, reason }: Pick<PlaygroundArchive, 'status' | 'reason'>): string {
  switch (status) {
    case 'started':
      return 'Recording';
    case 'paused':
      return 'Paused: nobody publishes';
    case 'stopped':
      return 'Being finished';
    case 'available':
      return 'Ready';
    case 'uploaded':
      return 'In your storage';
    case 'expired':
      return 'Gone: it was kept for its time';
    case 'deleted':
      return 'Deleted';
    case 'failed':
      return reason === '' ? 'Failed' : `Failed: ${reason}`;
  }
}

/** Length, weight and size of the picture, as far as there are any. */
export function factsOf({ durationMs, sizeBytes, resolution, hasAudio, hasVideo }: PlaygroundArchive): string {
  const picture = hasVideo ? (resolution === null ? [] : [sizeOf(resolution)]) : ['Sound only'];
  const silent = hasAudio ? [] : ['No sound'];
  return [lengthOf(durationMs), weightOf(sizeBytes), ...picture, ...silent].join(' · ');
}

/** The line below the name of one that is not recorded any more. */
export function pastOf(archive: PlaygroundArchive): string {
  if (archive.status === 'available') return factsOf(archive);
  // Of one that failed there may be less than its session had.
  return archive.linked ? `${stateOf(archive)} · What was kept: ${factsOf(archive)}` : stateOf(archive);
}

const places: Readonly<Record<PlaygroundStorage['type'], string>> = {
  s3: 'the project’s bucket of S3',
  azure: 'the project’s container of Azure',
};
const encryptedThere: Readonly<Record<'s3' | 'kms', string>> = {
  s3: ' It is encrypted there with keys of the storage.',
  kms: ' It is encrypted there with a key of the key service.',
};

/** What the next archive is sealed to, who opens it, and where it goes; `goes` is empty, or begins with a space. */
export function sealingWords({
  certificateSha256: { length },
  storage,
}: Pick<PlaygroundArchives, 'certificateSha256' | 'storage'>): { to: string; opens: string; goes: string } {
  const place = storage && places[storage.type];
  if (length === 0) {
    const to = 'Sealed with the project’s key';
    if (!storage) return { to, opens: 'This server opens it when you play it.', goes: '' };
    const there = storage.sse === null ? '' : encryptedThere[storage.sse];
    return {
      to: `${to} while it is here`,
      opens: `It does not stay: this server opens it and sends it to ${place}, over TLS.`,
      goes: ` Whoever may read there can play it.${there}`,
    };
  }
  const goes = storage ? ` As it is sealed it goes to ${place}.` : '';
  if (length === 1) {
    const opens = 'Only its private key opens it, and this server does not have that.';
    return { to: 'Sealed to the project’s certificate', opens, goes };
  }
  const opens = 'The private key of any one of them opens it, and this server has none of those.';
  return { to: `Sealed to ${length} certificates of the project`, opens, goes };
}

/** Whether a browser plays what a download gives: not what is sealed, nor a ZIP of single streams. */
export function isPlayable({ fileName, sealed }: Pick<PlaygroundArchive, 'fileName' | 'sealed'>): boolean {
  return sealed === null && fileName.endsWith('.mp4');
}

/** What is inside a sealed archive: a file, of either format, or the folder of an individual one. */
const clearNameOf = (fileName: string) => (fileName.endsWith('.zip') ? 'archive-clear' : 'archive-clear.ts');

/** What somebody with the private key types, in the folder of the download. The key of our own format is in the file. */
export function openCommand({ fileName, sealed }: PlaygroundArchive): string {
  const password = sealed?.password ? ` --password "${sealed.password}"` : '';
  const sha256 = sealed?.sha256 ?? '';
  return `npx cloister archive open ${fileName} --key key.pem${password} --sha256 "${sha256}" --out ${clearNameOf(fileName)}`;
}

/** The same with nothing but openssl, as OpenTok documents it. */
export function opensslCommands({ fileName, sealed }: PlaygroundArchive): string {
  return [
    `openssl enc -base64 -d -A <<< "${sealed?.password ?? ''}" -out password.enc`,
    'openssl pkeyutl -decrypt -pkeyopt rsa_padding_mode:oaep -inkey key.pem -in password.enc -out password.bin',
    `openssl enc -d -aes-256-cbc -in ${fileName} -out ${clearNameOf(fileName)} \\`,
    '  -K $(xxd -s 3 -l 32 -c 32 -p password.bin) -iv $(xxd -s 35 -l 16 -c 16 -p password.bin)',
  ].join('\n');
}
