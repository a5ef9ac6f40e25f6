import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The server serves the bundle at /console/, the index at /playground and account.html at /account. */
export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: {
    // Everything is a file of our own host: `data:` addresses would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    rolldownOptions: { input: ['index.html', 'account.html'] },
  },
});
