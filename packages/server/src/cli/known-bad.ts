/** Versions of what the platform stands on that must not be run, each with the reason. Checked at every start. */

interface Bad {
  readonly part: 'Node' | 'OpenSSL';
  /** Versions from `from` (included) up to `fixed` (excluded) are bad. */
  readonly from: string;
  readonly fixed: string;
  readonly why: string;
}

export const knownBad: readonly Bad[] = [
  {
    part: 'Node',
    from: '24.0.0',
    fixed: '24.4.1',
    why: 'strings with one hash can be made at will, which stalls the server (CVE-2025-27209)',
  },
  { part: 'OpenSSL', from: '0.0.0', fixed: '3.0.0', why: 'it gets no security fixes any more' },
  {
    part: 'OpenSSL',
    from: '3.0.0',
    fixed: '3.0.7',
    why: 'a certificate can overflow a buffer (CVE-2022-3602, CVE-2022-3786)',
  },
];

/** The warnings for a version such as `24.21.0`, or text that holds one, such as `OpenSSL 3.0.22 25 Aug 2026`. */
export function warningsFor(part: Bad['part'], text: string): string[] {
  const version = /\d+\.\d+\.\d+/.exec(text)?.[0];
  if (!version) return [`the version of ${part} is not known (${text}), so nothing can be said about its faults`];
  const bad = knownBad.filter(
    (each) => each.part === part && compare(version, each.from) >= 0 && compare(version, each.fixed) < 0,
  );
  return bad.map(({ fixed, why }) => `${part} ${version}: ${why}; run ${fixed} or newer`);
}

function compare(a: string, b: string): number {
  const right = b.split('.').map(Number);
  return (
    a
      .split('.')
      .map(Number)
      .map((part, index) => part - right[index]!)
      .find((difference) => difference !== 0) ?? 0
  );
}
