/** What a panel shows of how its data is: not there yet, or not read again since. */
import { Notice } from '../kit/notice.tsx';
import type { Problem } from './words.ts';

interface Props {
  readonly problem: Problem | null;
}

/** A panel that has nothing to show yet. @param reading what is said while it is read */
export function PanelWait({ problem, reading }: Props & { readonly reading: string }) {
  return (
    <div className="panel-body">
      {problem ? (
        <Notice tone="problem" title={problem.title}>
          {problem.text}
        </Notice>
      ) : (
        <p>{reading}</p>
      )}
    </div>
  );
}

/** Stands above what was read before. */
export function StaleNotice({ problem }: Props) {
  if (!problem) return null;
  return (
    <Notice tone="warning" title="This may be out of date">
      {problem.text}
    </Notice>
  );
}
