/** Turns what mediasoup throws into refusals of the platform, so that nothing of it gets out raw. */
import { PlatformError } from '@cloister/protocol';

/**
 * Runs something that hands a client's parameters to mediasoup.
 * @param on the transport that it is done on; one that closes under it says nothing about the parameters.
 * @throws PlatformError `MediaParametersInvalid` with mediasoup's reason; `WrongState` when the transport was closed
 *   meanwhile; `MediaLost` when the worker is gone.
 */
export async function checked<Result>(on: { readonly closed: boolean }, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    const refusal = refusalOf(error);
    if (!on.closed || refusal.code !== 'MediaParametersInvalid') throw refusal;
    throw new PlatformError('WrongState', { why: 'the transport was closed meanwhile' }, { cause: error });
  }
}

/** The refusal that an error of mediasoup stands for. */
export function refusalOf(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const said = error instanceof Error ? error : new Error(String(error));
  // InvalidStateError: the channel or the object was closed under the call.
  if (said.name === 'InvalidStateError') return new PlatformError('MediaLost', {}, { cause: error });
  const why = said.message.replace(/ \[method:\w+\]/g, '').slice(0, 300);
  return new PlatformError('MediaParametersInvalid', { why }, { cause: error });
}

/**
 * Waits for something that fails only when the media is gone.
 * @throws PlatformError `MediaLost`
 */
export async function asLost<Result>(promise: Promise<Result>): Promise<Result> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError('MediaLost', {}, { cause: error });
  }
}
