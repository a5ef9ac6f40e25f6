import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { capabilitiesOf, type Role, requireCapability } from './role.ts';

const expected: Record<Role, string> = {
  subscriber: 'subscribe',
  publisher: 'publish subscribe signal',
  publisheronly: 'publish',
  moderator: 'publish subscribe signal forceDisconnect forceUnpublish forceMute',
};

describe('roles', () => {
  for (const [role, words] of Object.entries(expected) as [Role, string][]) {
    it(`a ${role} may ${words}, and nothing else`, () => {
      const capabilities = capabilitiesOf(role);
      const may = Object.entries(capabilities)
        .filter(([, value]) => value === 1)
        .map(([name]) => name);
      assert.deepEqual(may, words.split(' '));
      for (const name of Object.keys(capabilities) as (keyof typeof capabilities)[]) {
        const check = () => requireCapability(role, name, name);
        if (may.includes(name)) check();
        else assert.throws(check, { code: 'PermissionDenied' });
      }
    });
  }
});
