/** Limits of the audit log, of what it sends out, and of who may write it. Part of the table in `limits.ts`. */

export const auditLimits = {
  databaseLeaseSeconds: {
    value: 10,
    why: 'a server that stops is waited for this long before the next one is refused',
  },
  auditSearchEntries: { value: 1000, why: 'entries of one answer; more of them are an export' },
  auditReasonChars: { value: 500, why: 'what an operator writes into the log about a repair' },
  auditSettingChars: { value: 500, why: 'of the value of a setting, in the entry that says that it was changed' },
} as const;
