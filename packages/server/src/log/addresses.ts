/**
 * Takes network addresses out of free text: lines of the media worker, messages of errors. It would rather take out too
 * much (a version of four numbers, a fingerprint) than leave an address in.
 *
 * Found: IPv4 with four parts in decimal, octal or hexadecimal, with dots or dashes, or as one number in hexadecimal;
 * IPv6 in every form of RFC 4291 with zone id and an IPv4 tail; both in brackets, with a port, inside the names of
 * reverse lookup and of `ipv6-literal.net`. Not found: an IPv4 address written as one decimal number, which cannot be
 * told from any other number.
 */
const placeholder = '<address>';

const reverseSix = /(?:[0-9a-f]\.){16,32}ip6\.arpa/gi;
const literalSix = /[0-9a-f-]{2,45}(?:s\w+)?\.ipv6-literal\.net/gi;
/** A run of the characters that an IPv6 address is made of, with its zone id. */
const sixRun = /[0-9a-f:.]{2,}(?:%[\w.%-]+)?/gi;
const dottedFour = /(?<!\d)(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){3,}/gi;
const dashedFour = /(?<!\w)\d{1,3}(?:-\d{1,3}){3}(?![\w-])/g;
const hexFour = /(?<!\w)0x[0-9a-f]{8}(?!\w)/gi;
const surroundings = /\[*<address>(?:\]|:\d{1,5}(?!\d))*/g;

/** `text` without addresses: each, with its brackets and port, becomes `<address>`. */
export function stripAddresses(text: string): string {
  return text
    .replace(reverseSix, placeholder)
    .replace(literalSix, placeholder)
    .replace(sixRun, stripRun)
    .replace(dottedFour, placeholder)
    .replace(dashedFour, placeholder)
    .replace(hexFour, placeholder)
    .replace(surroundings, placeholder);
}

/** A run that is an IPv6 address, or holds one, becomes the placeholder; a colon or dot of the sentence stays. */
function stripRun(run: string, offset: number, text: string): string {
  const [, before = '', core = '', after = ''] = /^(\.*(?::(?!:))?)(.*?)((?:(?<!:):)?\.*)$/s.exec(run) ?? [];
  if (!isSix(core.replace(/%.*$/s, ''))) return run;
  // `RTC::DtlsTransport` is a name of C++: letters next to the run, no digit in it.
  const glued = /[g-z_]/i.test(text[offset - 1] ?? '') || /[g-z_]/i.test(text[offset + run.length] ?? '');
  if (glued && !/\d/.test(core) && core.split(':').length <= 3) return run;
  return `${before}${placeholder}${after}`;
}

/** By its colons: a time (12:34:56) and a hardware address have too few, an IPv6 address has `::`, seven or a tail. */
function isSix(core: string): boolean {
  const colons = core.split(':').length - 1;
  return colons >= 2 && (core.includes('::') || colons >= 7 || /\d+\.\d+\.\d+\.\d+/.test(core));
}
