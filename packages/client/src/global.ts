/** The script: `window.OT`, talking to the server that the script came from. */
import { setHome } from './home.ts';
import * as OT from './index.ts';

const script = document.currentScript;
if (script instanceof HTMLScriptElement && script.src) setHome(new URL(script.src).origin);

Reflect.set(globalThis, 'OT', { ...OT });
