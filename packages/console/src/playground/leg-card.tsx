import { Icon, type IconName } from '../kit/icon.tsx';
import type { LegRow, Verdict } from './legs.ts';

const verdicts: Readonly<Record<Verdict, { icon: IconName; text: string }>> = {
  agree: { icon: 'check', text: 'Both ends agree' },
  differ: { icon: 'differ', text: 'The ends disagree' },
  waiting: { icon: 'clock', text: 'Waiting for the browser’s word' },
  refused: { icon: 'alert', text: 'Refused by the policy' },
};

/** One leg: which stream, which way, and what each end says of its encryption. */
export function LegCard({ row }: { row: LegRow }) {
  const verdict = verdicts[row.verdict];
  const weak = row.bits < 256 && row.verdict !== 'refused';
  return (
    <li className="leg" data-verdict={row.verdict} data-open={row.open} data-direction={row.direction}>
      <p className="leg-head">
        <Icon name={row.direction === 'send' ? 'up' : 'down'} size={16} />
        <span>
          <span className="leg-way">{row.way}</span>
          <span className="leg-stream">{row.stream}</span>
        </span>
      </p>
      <dl className="ends">
        {row.sender ? (
          <>
            <dt>
              <Icon name="browser" size={16} /> {row.sender.browser}, sending
            </dt>
            <dd data-end="sender">{row.sender.suite ?? 'not reported yet'}</dd>
          </>
        ) : (
          <>
            <dt>
              <Icon name="server" size={16} /> Server
            </dt>
            <dd data-end="server">{row.suiteSeenByServer}</dd>
          </>
        )}
        <dt>
          <Icon name="browser" size={16} /> {row.browser}
          {row.sender && ', receiving'}
        </dt>
        <dd data-end="browser">{row.suiteReportedByClient ?? 'not reported yet'}</dd>
        {row.frameLayer && (
          <>
            <dt>
              <Icon name="shieldCheck" size={16} /> Frames inside
            </dt>
            <dd data-end="frames">{row.frameLayer}</dd>
          </>
        )}
      </dl>
      {row.sender && <p className="leg-between">Between the two browsers; the server takes no part.</p>}
      {row.securityCode && (
        <details className="leg-code">
          <summary>Security code</summary>
          <p className="leg-digits">{row.securityCode}</p>
          <p>Read it to each other, or compare it by a message. If it differs, somebody is between you.</p>
        </details>
      )}
      <p className="leg-verdict">
        <Icon name={verdict.icon} size={16} />
        {verdict.text}
        {row.bits > 0 && `, ${row.bits}-bit key`}
        {weak && ' (below AES-256)'}
      </p>
    </li>
  );
}
