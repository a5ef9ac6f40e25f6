// The prebuilt media workers that we run: SHA-256 of mediasoup's release archives, by their file names, which name the
// version, the system and the processor. What is not in this list is not even unpacked; the worker is built instead.
//
// To add one: download the archive from mediasoup's release page, on two machines with different ways to it, compare
// `sha256sum`, and compare with a build from the tagged source where that can be reproduced. Then add
//   'mediasoup-worker-VERSION-linux-x64-kernel6.tgz': 'SHA-256 in lower-case hexadecimal',
// and remove those of versions that package-lock.json does not name any more. `npm start` prints the hash of an archive that it
// turned away; that hash is what the page sent this once, and no proof of anything (decision 0005).

/** @type {Readonly<Record<string, string>>} */
export const PINNED_ARCHIVES = {};
