/**
 * Network namespaces for tests that need addresses of their own, or a poor link.
 *
 * `enterNetwork` puts the whole test process into a new namespace; what it starts lives there too. `openFarSide` makes a
 * second one at the other end of a cable whose speed can be set. Both are nameless: they vanish with the last process
 * in them, so a test that crashes leaves nothing behind.
 */
import { command } from './cleanup.ts';
import { openNamespace } from './namespace.ts';
import { layRoughLine, type RoughLine, type Roughness } from './rough-line.ts';

const MARK = 'CLOISTER_TEST_NETWORK';

/** This process's address in the namespace, and those of the far side: on the first cable, and two on the other. */
export const nearAddress = '10.77.0.1';
export const farAddress = '10.77.0.2';
export const otherFarAddress = '10.78.0.2';
export const thirdFarAddress = '10.78.0.3';

/**
 * Goes on with the test file in a new network namespace: loopback, and one cable whose near end has `nearAddress` and a
 * default route, since Firefox gathers no candidate without one. To be called before anything else in a test file.
 * @param file the test file itself
 */
export function enterNetwork(file: string): void {
  if (process.env[MARK] !== '1') {
    // The process becomes another program under the same id, with the same output.
    const own = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const args = ['unshare', '--net', ...own, process.execPath, ...process.execArgv, file];
    process.execve?.('/usr/bin/unshare', args, { ...definedEnvironment(), [MARK]: '1' });
  }
  const ip = (line: string) => command('ip', ...line.split(' '));
  ip('link set lo up');
  ip('link add near type veth peer name far');
  ip(`addr add ${nearAddress}/24 dev near`);
  ip('link set near up');
  ip('link set far up');
  ip(`route add default via ${farAddress} dev near`);
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]));
}

/** Kilobits a second, and for how many milliseconds packets may queue. */
export interface Line {
  readonly kbps: number;
  readonly queueMs: number;
}

/**
 * The words for `tc`. A token bucket rather than netem: it is in every kernel. It is the harder of the two, since it lets a
 * probe through at full speed, as many a provider's line does.
 */
function shaping(device: string, line: Line | null): [string, ...string[]] {
  const rule = line ? `tbf rate ${line.kbps}kbit burst 4kb latency ${line.queueMs}ms` : '';
  return `tc qdisc ${line ? 'replace' : 'del'} dev ${device} root ${rule}`.trim().split(' ') as [string, ...string[]];
}

/** A namespace at the other end of the cable. */
export interface FarSide {
  /** A program that starts `executable` over there, with the arguments and file descriptors that it is given. */
  launcher(executable: string): string;
  /** Limits what this side sends to the far side; null lifts the limit. */
  shape(link: Line | null): void;
  /** Limits what the far side sends to this one, over the first cable. */
  shapeUp(link: Line | null): void;
  /** Lays another cable beside the first, with `otherFarAddress`; it is used when the first is gone. */
  layOther(): void;
  /** Exchanges the first cable, with the same addresses, for a line that loses and delays. To be done before it is used. */
  roughen(line: Roughness): Promise<void>;
  /** Pulls the first cable out of the far side. */
  pullFirst(): void;
  /** Exchanges `otherFarAddress` for `thirdFarAddress` at once. */
  readdress(): void;
  close(): void;
}

/** Moves the far end of the cable into a namespace of its own. Once in a test process. */
export async function openFarSide(): Promise<FarSide> {
  const space = await openNamespace();
  command('ip', 'link', 'set', 'far', 'netns', String(space.pid));
  const there = (line: string) => space.run('ip', ...line.split(' '));
  there(`addr add ${farAddress}/24 dev far`);
  there('link set far up');
  there(`route add default via ${nearAddress} dev far`);
  const addressOther = (address: string) => {
    there(`addr add ${address}/32 dev far2`);
    there(`route replace ${nearAddress}/32 dev far2 src ${address} metric 1000`);
    there(`route replace default via ${nearAddress} dev far2 onlink metric 1000`);
  };
  let rough: RoughLine | undefined;
  return {
    launcher: (executable) => space.launcher(executable),
    shape: (line) => void command(...shaping('near', line)),
    shapeUp: (line) => space.run(...shaping('far', line)),
    layOther() {
      command('ip', ...'link add near2 type veth peer name far2'.split(' '));
      command('ip', 'link', 'set', 'far2', 'netns', String(space.pid));
      command('ip', 'link', 'set', 'near2', 'up');
      there('link set far2 up');
      // This side is reached by the same address over both.
      for (const address of [otherFarAddress, thirdFarAddress]) {
        command('ip', ...`route add ${address}/32 dev near2 src ${nearAddress}`.split(' '));
      }
      addressOther(otherFarAddress);
    },
    async roughen(line) {
      command('ip', 'link', 'del', 'near');
      rough = await layRoughLine(space, {
        ...line,
        near: { device: 'near', address: nearAddress },
        far: { device: 'far', address: farAddress, gateway: nearAddress },
        shown: null,
        bits: 24,
        nearDefault: true,
      });
    },
    pullFirst() {
      there('addr flush dev far');
      there('link set far down');
    },
    readdress() {
      there('addr flush dev far2');
      addressOther(thirdFarAddress);
    },
    close() {
      space.close();
      rough?.close();
    },
  };
}
