/** A line into another namespace that loses and delays, with a firewall on it. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ownChild } from './cleanup.ts';
import type { Namespace } from './namespace.ts';
import { Feed } from './wait.ts';

/** What a line does to packets, both ways. */
export interface Roughness {
  readonly lossPercent: number;
  readonly delayMs: number;
  /** Spread evenly above the delay, so packets overtake each other. */
  readonly jitterMs: number;
  /** null: as fast as it goes. */
  readonly kbps: number | null;
  /** What would wait longer for its turn is dropped. */
  readonly queueMs: number;
  readonly seed: number;
}

/**
 * What is let through, both ways: everything; everything but UDP; TCP with port 443 at one end; of that, connections on which
 * the client begins with TLS.
 */
export type Firewall = 'open' | 'no UDP' | 'TCP 443' | 'TLS 443';

interface End {
  readonly device: string;
  readonly address: string;
}

export interface RoughLineOptions extends Roughness {
  readonly near: End;
  /** `gateway`: to whom it sends what is for others. */
  readonly far: End & { readonly gateway: string };
  /** The address that the far end has for everybody else, as behind a NAT that keeps ports; null: its own. */
  readonly shown: string | null;
  /** Length of the prefix of both ends. */
  readonly bits: number;
  /** Whether this side, too, sends that way what it has no other way for. */
  readonly nearDefault: boolean;
}

export interface RoughLine {
  /** Lets through what is named, from when it resolves. @returns packets that were kept back since it was last changed */
  firewall(lets: Firewall): Promise<number>;
  close(): void;
}

/** Lays a line from this process's namespace into another one. Its devices are made here. */
export async function layRoughLine(into: Namespace, options: RoughLineOptions): Promise<RoughLine> {
  const program = path.join(import.meta.dirname, 'rough-line.py');
  const args = [program, String(into.pid), JSON.stringify(options)];
  const carrier = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  ownChild(carrier);
  const said = new Feed<string>();
  createInterface({ input: carrier.stdout }).on('line', (line) => said.push(line));
  carrier.once('exit', (code) => said.push(`ended with ${code}`));
  const first = await said.next('the line to be laid', () => true);
  if (first !== 'ready') throw new Error(`${program} ${first}`);
  return {
    async firewall(lets) {
      const since = said.items.length;
      carrier.stdin.write(`${lets}\n`);
      const answer = await said.next(`the firewall to let ${lets} through`, () => true, { since });
      return (JSON.parse(answer) as { dropped: number }).dropped;
    },
    close: () => void carrier.stdin.end(),
  };
}
