import { Component, type ReactNode } from 'react';
import { Button } from '../kit/button.tsx';
import { MessagePage } from './message-page.tsx';

/** Catches a mistake of this page itself, so that it never just goes blank. The call is left by loading anew. */
export class SafetyNet extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <MessagePage
        title="This page has failed"
        text="Your part in the call is over. Load the page again to go on; the link stays the same."
        action={
          <Button tone="primary" onPress={() => location.reload()}>
            Load again
          </Button>
        }
      />
    );
  }
}
