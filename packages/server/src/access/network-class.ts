/** Which kind of network an address is of: what may be said of it where the address itself may not. */
import { type AddressClass, canonicalAddress, classesOf } from './cidr.ts';

const OURS: readonly AddressClass[] = ['loopback', 'private', 'link-local'];

/** `loopback`: this machine; `private`: a network of the house, link-local too; `public`: all else, what is no address included. */
export function networkOf(address: string): 'loopback' | 'private' | 'public' {
  const classes = classesOf(canonicalAddress(address) ?? address) ?? ['public'];
  if (classes.every((each) => each === 'loopback')) return 'loopback';
  return classes.every((each) => OURS.includes(each)) ? 'private' : 'public';
}
