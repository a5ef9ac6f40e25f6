/** Descriptions (SDP, RFC 8866) as they are said and read: lines of them, never whole grammars. */

/** How the sound of a track is to be sent, of what only a description can say (RFC 7587, section 6.1). */
export interface OpusWish {
  readonly dtx?: boolean;
  readonly stereo: boolean;
}

/** A description, cut before each of its m-sections. */
function sections(sdp: string): string[] {
  return sdp.split(/^(?=m=)/m);
}

/**
 * Leaves out what a description says of payload types that its m-sections do not have. Firefox keeps the `rtcp-fb` lines
 * of codecs that `setCodecPreferences` took away, and Chromium then refuses the whole description.
 */
export function withoutStrayCodecs(sdp: string): string {
  const [head = '', ...media] = sections(sdp);
  const cleaned = media.map((section) => {
    const offered = new Set(/^m=\S+ \S+ \S+ (.*?)\r?$/m.exec(section)?.[1]?.split(' '));
    return section.replace(/^a=(?:rtcp-fb|fmtp|rtpmap):(\d+) .*\r?\n/gm, (line, type: string) =>
      offered.has(type) ? line : '',
    );
  });
  return [head, ...cleaned].join('');
}

/**
 * Writes into a description of the other end how it wants this end's Opus, by `mid`: a sender goes by what its receiver
 * says, so a publisher's wishes are put into the receiver's mouth.
 */
export function withOpusWishes(sdp: string, wishes: ReadonlyMap<string, OpusWish>): string {
  const [head = '', ...media] = sections(sdp);
  const wished = media.map((section) => {
    const wish = wishes.get(/^a=mid:(.*?)\r?$/m.exec(section)?.[1] ?? '');
    if (!wish) return section;
    const { dtx, stereo } = wish;
    return withOpusParameters(section, { ...(dtx ? { usedtx: 1 } : {}), stereo: stereo ? 1 : 0 });
  });
  return [head, ...wished].join('');
}

/**
 * Gives each header extension (RFC 8285) one id in all m-sections, as those of a bundle must (RFC 8843, section 9.1.1). Chromium, which
 * took the ids of another browser over for the sections that it has agreed on, may take one of them for another extension in a new one.
 * @param agreed a description that is in force, whose ids stay; '' where there is none
 */
export function withOneIdEach(sdp: string, agreed: string): string {
  const ids = new Map<string, number>();
  const line = /^(a=extmap:)(\d+)((?:\/\S+)?) (\S+)/gm;
  for (const [, , id, , uri] of agreed.matchAll(line)) ids.set(uri as string, Number(id));
  const taken = new Set(ids.values());
  const free = (wanted: number): number => {
    if (!taken.has(wanted)) return wanted;
    // 15 ends a list of them, and those above need the longer form.
    for (let id = 1; id < 15; id += 1) if (!taken.has(id)) return id;
    for (let id = 16; id < 256; id += 1) if (!taken.has(id)) return id;
    throw new RangeError('a description has more header extensions than there are ids');
  };
  return sdp.replace(line, (_, start: string, given: string, direction: string, uri: string) => {
    const id = ids.get(uri) ?? free(Number(given));
    ids.set(uri, id);
    taken.add(id);
    return `${start}${id}${direction} ${uri}`;
  });
}

/** Sets parameters of Opus in an m-section that has it. */
function withOpusParameters(section: string, parameters: Readonly<Record<string, number>>): string {
  const type = /^a=rtpmap:(\d+) opus\//im.exec(section)?.[1];
  if (!type) return section;
  const added = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  const line = new RegExp(`^a=fmtp:${type} (.*?)(\\r?)$`, 'm');
  if (!line.test(section)) {
    return section.replace(/^(a=rtpmap:(\d+) opus\/.*?)(\r?)$/im, `$1$3\na=fmtp:$2 ${added.join(';')}$3`);
  }
  return section.replace(line, (_, given: string, end: string) => {
    const kept = given.split(';').filter((each) => !(each.trim().split('=')[0] ?? '').match(/^(usedtx|stereo)$/));
    return `a=fmtp:${type} ${[...kept, ...added].join(';')}${end}`;
  });
}

/**
 * The fingerprint of a certificate, `sha-256 AB:CD:…` (RFC 8122, section 5); null where there is none, and where a description has
 * more than one: which of them a browser takes is not to be guessed.
 */
export function fingerprintOf(sdp: string): string | null {
  const marked = 'a=fingerprint:';
  const lines = sdp.split(/\r?\n/).filter((line) => line.startsWith(marked));
  const [first, ...others] = new Set(lines.map((line) => line.slice(marked.length).trim()));
  return others.length === 0 ? (first ?? null) : null;
}
