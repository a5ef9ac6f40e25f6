/** Which kind of network an address is of: what may be said of it where the address itself may not. */
import { canonicalAddress, classesOf } from './cidr.ts';

/** `loopback`: this machine; `private`: a network of the house, link-local too; `public`: all else. */
export function networkOf(address: string): 'loopback' | 'private' | 'public' {
  const classes = classesOf(canonicalAddress(address) ?? address) ?? ['public'];
  if (classes.every((each) => each === 'loopback')) return 'loopback';
  return classes.includes('public') ? 'public' : 'private';
}
