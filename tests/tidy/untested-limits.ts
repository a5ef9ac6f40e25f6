/** Limits whose bound no test can stand on, each with the reason. An entry goes when a test names its limit. */
import type { LimitName } from '@cloister/protocol/limits';

export const UNTESTED_LIMITS: Partial<Record<LimitName, string>> = {
  transportBitrateBpsStart: 'an estimate to begin with, replaced by the first measurement; nothing is refused at it',
  archiveSandboxTrialMs: 'a trial that neither succeeds nor fails for so long needs a machine that hangs',
  resealRows: 'the size of a batch; what is past it is in the next one',
  embeddedLogBytes: 'to write 128 MiB takes too long; the test of the store gives the same code a smaller bound',
  embeddedTransactionAge: '200 million transactions of PGlite, which has no way to set its counter',
  databaseAnswerSeconds: "PostgreSQL's own timer, over half a minute",
  databaseConnections: "the driver's own queue: a read past it waits and is not refused",
  databaseConnectSeconds: "the driver's own timer, towards an address that drops packets",
  databaseReconnectSeconds: 'a pause between two attempts; nothing is refused at it',
};
