/** The door of the customers' storages: how archives get into buckets of S3 and containers of Azure. */
export { openUploads, type ResealedUploads, type UploadsDeps } from './uploads.ts';
