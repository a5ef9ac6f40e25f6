import './styles/tokens.css';
import './styles/base.css';
import './styles/kit.css';
import './styles/entrance.css';
import './styles/call.css';
import './styles/panel.css';
import './styles/archives.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Playground } from './playground/playground.tsx';
import { SafetyNet } from './playground/safety-net.tsx';
import { secretIn, takeSecret } from './playground/secret.ts';

const secret = takeSecret();
// A link that differs in its secret alone does not load the page anew by itself.
addEventListener('hashchange', () => secretIn(location.href) && location.reload());

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <SafetyNet>
      <Playground secret={secret} />
    </SafetyNet>
  </StrictMode>,
);
