/** Refusals about the audit log, where it runs and where it is checked without the platform. Part of the table in `errors.ts`. */

export const auditErrors = {
  // The audit log
  AuditLogBroken: {
    status: 503,
    opentok: 503,
    message: 'The audit log is not what was signed: {why}',
    help: 'Look into the log of the server, and at docs/guides/audit.md: the database was rolled back or changed, and the right one has to come back.',
    fault: 'platform',
  },
  AuditRefused: {
    status: 400,
    opentok: 400,
    message: 'The audit log is not verified: {why}',
    help: 'Fetch it again. If it is the same, do not trust it: what is named was changed, removed, put elsewhere or forged after it was signed.',
    fault: 'caller',
  },
  AuditKeyUnknown: {
    status: 400,
    opentok: 400,
    message: 'The audit log is signed with no key that was given: {why}',
    help: 'Give the keys that you got from /cloister/v1/audit/keys when you began to trust the platform, and those it had since. A key that has leaked is not published any more.',
    fault: 'caller',
  },
  AuditForked: {
    status: 409,
    opentok: 409,
    message: 'The audit log does not go on from what was signed before: {why}',
    help: 'Keep both checkpoints: together they prove that the log was forked or rolled back. Ask the operator, and cosign nothing until it is clear.',
    fault: 'platform',
  },
  WitnessUnknown: {
    status: 403,
    opentok: 403,
    message: 'No witness that this server knows signed this checkpoint',
    help: 'The operator names the keys of witnesses in the setting auditWitnesses.',
    fault: 'caller',
  },
  DatabaseInUse: {
    status: 500,
    opentok: 500,
    message: 'Another server runs on this database',
    help: 'Stop it first: two servers on one database would each end the calls of the other, and write one audit log twice. One that was killed is let go of at once; a machine that is gone, within seconds.',
    fault: 'caller',
  },
} as const;
