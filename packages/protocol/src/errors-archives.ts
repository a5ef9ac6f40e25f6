/** Refusals about archives: layouts, sealed files. Part of the table in `errors.ts`. */

export const archiveErrors = {
  // Archives
  LayoutInvalid: {
    status: 400,
    opentok: 400,
    message: 'The layout was refused: {why}',
    help: 'Send a type, with a stylesheet for custom and a screenshareType for bestFit only; docs/reference/archive-layouts.md has the rules.',
    fault: 'caller',
  },
  StylesheetInvalid: {
    status: 400,
    opentok: 400,
    message: 'The stylesheet was refused at line {line}, column {column}: {why}',
    help: 'docs/reference/archive-layouts.md lists the selectors, properties and values of a custom layout.',
    fault: 'caller',
  },
  StylesheetTooLarge: {
    status: 400,
    opentok: 400,
    message: 'The stylesheet has more than {limit} {unit}',
    help: 'Write fewer and shorter rules; docs/reference/limits.md has every limit.',
    fault: 'caller',
  },

  // Recordings
  StorageFull: {
    status: 503,
    opentok: 503,
    message: 'The disk of this server is full: nothing can be recorded',
    help: 'Free room where the data folder is, or shorten archiveKept; archives that are there are not touched. Then start the archive again.',
    fault: 'platform',
  },

  // Uploads
  UploadFailed: {
    status: 502,
    opentok: 502,
    message: 'The archive could not be uploaded: {why}',
    help: 'Correct the storage of the project for the archives to come; what was recorded of this one is kept for a while, and docs/guides/archives.md says how to get it.',
    fault: 'destination',
  },
  UploadsWaiting: {
    status: 503,
    opentok: 503,
    message: 'Archives of {bytes} bytes wait for their upload, which is all that this server keeps of them',
    help: 'Make the storage of the projects reachable again: uploads go on by themselves. An archive of a project without a storage can be started.',
    fault: 'platform',
  },

  // Sealed archives
  SealingNotFound: {
    status: 404,
    opentok: 404,
    message: 'This project has not set what its archives are sealed to',
    help: 'Set it with PUT …/archive-sealing. Without it the certificate of the archive storage is used, where there is one.',
    fault: 'caller',
  },
  ManifestNotFound: {
    status: 404,
    opentok: 404,
    message: 'Archive {archiveId} has no manifest: {why}',
    help: 'Read the archive until its status is available, uploaded or failed, or wait for the callback that says so.',
    fault: 'caller',
  },
  CertificateRefused: {
    status: 400,
    opentok: 400,
    message: 'The certificate was refused: {why}',
    help: 'Send one X.509 certificate with an RSA key, as PEM or as base64 of the PEM file: openssl req -new -x509 -days 365 -newkey rsa:2048 -out cert.pem -keyout key.pem',
    fault: 'caller',
  },
  ArchiveUnreadable: {
    status: 400,
    opentok: 400,
    message: 'The archive cannot be read: {why}',
    help: 'Give the file as it was stored, with the private key of the certificate and, for the format of OpenTok, the `password` of the same archive.',
    fault: 'caller',
  },
  ArchiveKeyWrong: {
    status: 400,
    opentok: 400,
    message: 'This key does not open the archive: {why}',
    help: 'Give the private key of the certificate that was set when the archive was recorded and, for the format of OpenTok, the `password` of the same archive.',
    fault: 'caller',
  },
  ArchiveCut: {
    status: 400,
    opentok: 400,
    message: 'The archive is cut: {why}',
    help: 'Fetch the file again. If it was cut in the recording, what came before the cut is all that there is.',
    fault: 'caller',
  },
  ArchiveChanged: {
    status: 400,
    opentok: 400,
    message: 'The archive was changed after it was sealed: {why}',
    help: 'Fetch the file again from where it was stored first; do not trust this copy.',
    fault: 'caller',
  },
} as const;
