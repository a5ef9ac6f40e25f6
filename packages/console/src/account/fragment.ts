/** What a link brings along behind its `#`, where no server sees it: an invitation, or why a log-in service did not let in. */
export interface Fragment {
  readonly invitation: string | null;
  readonly refused: string | null;
}

/** Reads it, and takes it out of the address bar, so that it is in no history and no screenshot. */
export function takeFragment(
  { hash, pathname }: Pick<Location, 'hash' | 'pathname'>,
  history: Pick<History, 'replaceState'>,
): Fragment {
  const words = new URLSearchParams(hash.slice(1));
  const fragment = { invitation: words.get('invitation'), refused: words.get('refused') };
  if (fragment.invitation !== null || fragment.refused !== null) history.replaceState(null, '', pathname);
  return fragment;
}
