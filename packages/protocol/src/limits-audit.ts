/** Limits of the audit log, of what it sends out, and of who may write it. Part of the table in `limits.ts`. */

export const auditLimits = {
  databaseLeaseSeconds: {
    value: 10,
    why: 'a server that stops is waited for this long before the next one is refused',
  },
  auditSearchEntries: { value: 1000, why: 'entries of one answer; more of them are an export' },
  auditStepEvents: { value: 500, why: 'events that become entries in one transaction, under one signature' },
  auditReasonChars: { value: 500, why: 'what an operator writes into the log about a repair' },
  auditSettingChars: { value: 500, why: 'of the value of a setting, in the entry that says that it was changed' },
  auditOutletEntries: {
    value: 500,
    why: 'entries that are sent to a receiver at once, and again where it did not take them',
  },
  auditOutletAnswerSeconds: { value: 30, why: 'a receiver has taken what it was sent by then, or gets it again' },
  auditOutletWaitSeconds: { value: 300, why: 'the longest pause before a receiver that is away is tried again' },
  auditSyslogBytes: {
    value: 8192,
    why: 'RFC 5425: receivers should take messages of that length; a longer one goes without its detail',
  },
  auditOtlpAnswerBytes: { value: 16 * 1024, why: 'of the answer of an OTLP receiver' },
} as const;
