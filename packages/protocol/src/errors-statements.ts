/** Refusals of what a platform signed, where it is checked without the platform. Part of the table in `errors.ts`. */

export const statementErrors = {
  // What the platform signed
  ManifestRefused: {
    status: 400,
    opentok: 400,
    message: 'The manifest is not verified: {why}',
    help: 'Fetch the manifest again from …/archives/ID/manifest. If it is the same, do not trust it: the platform did not sign it.',
    fault: 'caller',
  },
  ManifestKeyUnknown: {
    status: 400,
    opentok: 400,
    message: 'The manifest is signed with a key that is not among those of the platform: {keyId}',
    help: 'Fetch the keys again from /cloister/v1/manifest-keys of the platform that recorded the archive. A key that has leaked is not published any more.',
    fault: 'caller',
  },
  SecurityRecordRefused: {
    status: 400,
    opentok: 400,
    message: 'The security record is not verified: {why}',
    help: 'Fetch it again from …/sessions/ID/security/signed. If it is the same, do not trust it: the platform did not sign it.',
    fault: 'caller',
  },
  SecurityRecordKeyUnknown: {
    status: 400,
    opentok: 400,
    message: 'The security record is signed with a key that is not among those of the platform: {keyId}',
    help: 'Fetch the keys again from /cloister/v1/manifest-keys of the platform that the session was on. A key that has leaked is not published any more.',
    fault: 'caller',
  },
} as const;
