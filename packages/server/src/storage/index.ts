/** The door of the customers' storages: how archives get into buckets of S3 and containers of Azure. */
export { type ReadObject, readS3Object } from './s3-read.ts';
export { openUploads, type ResealedUploads, type UploadsDeps } from './uploads.ts';
