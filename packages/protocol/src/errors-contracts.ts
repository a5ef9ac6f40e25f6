/** Errors about what is agreed on: who acts for an account, what it has bought, and which addresses it was told of. */
import { addressErrors } from './errors-addresses.ts';
import { peopleErrors } from './errors-people.ts';
import { planErrors } from './errors-plans.ts';

export const contractErrors = { ...addressErrors, ...peopleErrors, ...planErrors } as const;
