/** Who may reach us and whom we reach: address sets, limits on use, the client's address, the one way out. */
export {
  type AddressClass,
  type AddressSet,
  addressClasses,
  addressSet,
  canonicalAddress,
  classesOf,
} from './cidr.ts';
export { clientAddress, type RequestOrigin } from './client-address.ts';
export type { EgressMode, OwnAddress } from './destination.ts';
export {
  type Connector,
  createEgress,
  type Egress,
  type EgressAnswer,
  type EgressConnection,
  type EgressDeps,
  type EgressRequest,
  type EgressTls,
  type Endpoint,
  type Resolver,
} from './egress.ts';
export { networkOf } from './network-class.ts';
export { createRateLimiter, type RateLimiter, type RateScope, rates, type Verdict } from './rate-limit.ts';
