/** Refusals about address lists: changing one, and what is not in it. Part of the table in `errors.ts`. */

export const addressErrors = {
  // What may be in a list
  AddressPrefixMalformed: {
    status: 400,
    opentok: 400,
    message: '{prefix} is no prefix of addresses',
    help: 'Write it as 192.0.2.0/24 or 2001:db8::/48: four decimal numbers, or an IPv6 address without a zone, then the number of leading bits.',
    fault: 'caller',
  },
  AddressPrefixHostBits: {
    status: 400,
    opentok: 400,
    message: '{prefix} has bits behind its length, or is not written in its one form',
    help: 'Write {canonical}, if that is what is meant.',
    fault: 'caller',
  },
  AddressPrefixMapped: {
    status: 400,
    opentok: 400,
    message: '{prefix} is IPv4 inside IPv6',
    help: 'Name the IPv4 prefix itself: no packet has an address of this kind.',
    fault: 'caller',
  },
  AddressPrefixNotPublic: {
    status: 400,
    opentok: 400,
    message: '{prefix} holds addresses that are not public: {kind}',
    help: 'A list is for addresses that clients reach over the Internet. In the development mode the setting addressListPrivate lets all others in.',
    fault: 'caller',
  },
  AddressPrefixTooLarge: {
    status: 400,
    opentok: 400,
    message: '{prefix} is too large: a prefix has {bits} bits or more',
    help: 'Announce the parts of it that the platform uses; customers open their firewalls to all that a list names.',
    fault: 'caller',
  },
  AddressPrefixOverlaps: {
    status: 400,
    opentok: 400,
    message: '{prefix} overlaps {other} (block {blockId})',
    help: 'Blocks do not overlap, but for the very same prefix on the same line with another component, or with other ports or protocols. Withdraw the other first, or announce the rest.',
    fault: 'caller',
  },
  AddressNoticeTooShort: {
    status: 400,
    opentok: 400,
    message:
      '{at} is too soon: a change of the list is announced {days} days before it takes effect, so now not before {earliest}',
    help: 'Name a later time, or none for the earliest. What cannot wait needs a reason and two people: cloister ip-ranges announce --emergency.',
    fault: 'caller',
  },
  AddressClockTurnedBack: {
    status: 409,
    opentok: 409,
    message: 'The clock of this server ({now}) is behind the last change of the list ({last})',
    help: 'Set the clock right. Nothing is announced by a clock that runs backwards: notices would be shorter than they say.',
    fault: 'platform',
  },
  AddressBlockUnknown: {
    status: 404,
    opentok: 404,
    message: 'There is no block {blockId} that could be withdrawn',
    help: 'cloister ip-ranges show lists the blocks with their ids. One whose withdrawal was announced stays as announced.',
    fault: 'caller',
  },
  AddressVersionUnknown: {
    status: 404,
    opentok: 404,
    message: 'There is no version {version} of the address list',
    help: 'Ask for one that /cloister/v1/ip-ranges/history lists, or for none to have the last.',
    fault: 'caller',
  },
  AddressListChanged: {
    status: 409,
    opentok: 409,
    message: 'Somebody else has changed the address list meanwhile',
    help: 'Look at it again (cloister ip-ranges show), and repeat the change if it is still wanted.',
    fault: 'caller',
  },
  AddressApprovalRefused: {
    status: 403,
    opentok: 403,
    message: 'The emergency change is not approved: {why}',
    help: 'A change without its notice needs two people: one proposes it with a reason, another one approves it, within a day.',
    fault: 'caller',
  },
  AddressKeyTooNew: {
    status: 409,
    opentok: 409,
    message: 'The next key for address lists ({keyId}) was published less than {days} days ago',
    help: 'Rotate when customers have had the time to take it. A key that has leaked is replaced at once: cloister keys compromise.',
    fault: 'caller',
  },

  // What is not in it
  AddressNotListed: {
    status: 503,
    opentok: 503,
    message: '{what} {address} is not in effect in the address list ({component})',
    help: 'A project that uses the address list is given no address outside it. The operator announces the address (a server that does not start for it is started without addressLine), or takes it out of the settings; after an emergency the project first acknowledges the new list.',
    fault: 'platform',
    client: 'OT_ADDRESS_NOT_LISTED',
  },
  AddressListMissing: {
    status: 400,
    opentok: 400,
    message: 'There is no address list for this call: {why}',
    help: 'Leave ipWhitelist out, or ask the operator for a node on the enterprise line.',
    fault: 'caller',
    client: 'OT_ADDRESS_NOT_LISTED',
  },
  AddressLineRefused: {
    status: 503,
    opentok: 503,
    message: 'This node is on the {line} line, and the project is served on the enterprise line alone',
    help: 'Use the address of the enterprise line; the operator knows it.',
    fault: 'platform',
    client: 'OT_CONNECT_FAILED',
  },
} as const;
