/**
 * What each sealed value is bound to: its column, and its row where it could be moved from one row to another. A value
 * opens in the context that it was sealed in and in no other (additional data of AES-GCM, NIST SP 800-38D).
 */
export const sealedContext = {
  accountName: (accountId: string) => `account.name:${accountId}`,
  accountSecret: (accountId: string) => `account.secret:${accountId}`,
  /** Name and e-mail address; and what somebody logs in with. */
  personal: (personId: string) => `person.personal:${personId}`,
  personSecrets: (personId: string) => `person.secrets:${personId}`,
  logInAddress: (logInId: string) => `login.address:${logInId}`,
  apiKeyLabel: (apiKeyId: string) => `apiKey.label:${apiKeyId}`,
  pepper: () => 'people.pepper',
  projectName: (projectId: string) => `project.name:${projectId}`,
  projectSecret: (secretId: string) => `project.secret:${secretId}`,
  signatureSecret: () => 'project.signatureSecret',
  archiveName: () => 'session.archiveName',
  archive: (archiveId: string) => `archive.name:${archiveId}`,
  storageTarget: (projectId: string) => `storage.target:${projectId}`,
  /** The same, in the file of an archive that goes there. */
  uploadTarget: (archiveId: string) => `archive.uploadTarget:${archiveId}`,
  /** Of an individual archive, in its file. */
  archiveIndex: (archiveId: string) => `archive ${archiveId} index`,
  callbackUrl: (callbackId: string) => `callback.url:${callbackId}`,
  deliveryUrl: (deliveryId: string) => `delivery.url:${deliveryId}`,
  deliveryBody: (deliveryId: string) => `delivery.body:${deliveryId}`,
  /** Salt and content of an entry of the audit log. */
  auditEntry: (index: number | string) => `audit.entry:${index}`,
  /** The settings of the last start. */
  settings: () => 'settings',
  /** The personal fields of an event. */
  event: (eventId: string) => `event:${eventId}`,
} as const;
