/** Refusals about plans, the terms of accounts, and usage. Part of the table in `errors.ts`. */

export const planErrors = {
  // Plans and terms
  PlansRefused: {
    status: 500,
    opentok: 500,
    message: 'The table of plans is wrong at {place}: {why}',
    help: 'Correct the file that the setting plansFile names, as docs/concepts/plans.md has it, and start again.',
    fault: 'platform',
  },
  PlanUnknown: {
    status: 400,
    opentok: 400,
    message: 'There is no plan {plan} at that time; there are: {plans}',
    help: 'Name one of them. `cloister plans show` has what each includes.',
    fault: 'caller',
  },
  FeatureInUse: {
    status: 409,
    opentok: 409,
    message: 'Projects still use what would be lost: {uses}',
    help: 'Change those projects first. The operator can force the change; then what they use is refused from its date on.',
    fault: 'caller',
  },
  TermsChanged: {
    status: 412,
    opentok: 412,
    message: 'The terms of the account are at version {version} by now, not {expected}',
    help: 'Somebody else changed them meanwhile. Look at them, preview the change again, and send it with their version.',
    fault: 'caller',
  },
  TermsRetroactive: {
    status: 400,
    opentok: 400,
    message: 'Terms do not change for a time that has passed: {why}',
    help: 'Give a date that is still to come, or none for a change that holds at once.',
    fault: 'caller',
  },
  OperatorOnly: {
    status: 403,
    opentok: 403,
    message: 'Only the operator may {action}',
    help: 'Ask the operator of the platform for it. An account buys and drops add-ons itself.',
    fault: 'caller',
  },
} as const;
