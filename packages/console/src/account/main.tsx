import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/kit.css';
import '../styles/entrance.css';
import '../styles/account.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AccountPage } from './account-page.tsx';
import { createAccountApi } from './api.ts';
import { takeFragment } from './fragment.ts';

const fragment = takeFragment(location, history);
const api = createAccountApi((path, init) => fetch(path, init));

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <AccountPage api={api} fragment={fragment} />
  </StrictMode>,
);
