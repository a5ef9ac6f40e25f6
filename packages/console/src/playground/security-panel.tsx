import { Button, Disclosure, DisclosurePanel, Heading } from 'react-aria-components';
import { Icon } from '../kit/icon.tsx';
import { Notice } from '../kit/notice.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Call } from './call.ts';
import { strangersOf } from './call-state.ts';
import { LegCard } from './leg-card.tsx';
import { policyWords, summaryOf } from './legs.ts';
import { PanelWait, StaleNotice } from './panel-state.tsx';
import { SecretPanel } from './secret-panel.tsx';
import type { Security } from './use-security.ts';
import { strangerWords } from './words.ts';

/** Every leg of the session, with the suite as each end saw it, and the secret inside where there is one. */
export function SecurityPanel({ security, call }: { security: Security; call: Call }) {
  const strange = strangerWords(strangersOf(useStore(call.state)));
  const { record, rows, problem } = security;
  if (!record) {
    return <PanelWait problem={problem} reading="Reading the record." />;
  }
  const summary = summaryOf(rows);
  const policy = policyWords(record.policy);
  const open = rows.filter((row) => row.open);
  const closed = rows.filter((row) => !row.open);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls must be reachable by the keyboard
    <section className="panel-body" tabIndex={0} aria-label="Legs of this session">
      <StaleNotice problem={problem} />
      {strange ? (
        <Notice tone="problem" title={strange.title}>
          {strange.text}
        </Notice>
      ) : (
        <div className={`summary standing-${summary.standing}`}>
          <Icon name={summary.standing === 'strong' ? 'shieldCheck' : 'shield'} size={28} />
          <div>
            <p className="summary-text">{summary.text}</p>
            <p className="summary-policy">
              <strong>{policy.name}.</strong> {policy.text}
            </p>
          </div>
        </div>
      )}
      <SecretPanel call={call} />
      <ul className="legs">
        {open.map((row) => (
          <LegCard key={row.key} row={row} />
        ))}
      </ul>
      {closed.length > 0 && (
        <Disclosure className="earlier">
          <Heading level={3}>
            <Button slot="trigger" className="earlier-button">
              <Icon name="chevron" size={16} />
              Earlier legs ({closed.length})
            </Button>
          </Heading>
          <DisclosurePanel>
            <ul className="legs">
              {closed.map((row) => (
                <LegCard key={row.key} row={row} />
              ))}
            </ul>
          </DisclosurePanel>
        </Disclosure>
      )}
    </section>
  );
}
