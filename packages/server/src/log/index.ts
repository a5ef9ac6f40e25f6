/** The log: declared fields, constant messages, no address and no secret. */
export { stripAddresses } from './addresses.ts';
export { type FieldClass, fieldTable, type LogFields } from './fields.ts';
export { createLogger, type Logger, type LogLevel, type LogOptions, type LogSink, logLevels } from './logger.ts';
