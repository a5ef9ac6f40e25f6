/** Passwords as hashes: Argon2id (RFC 9106) by Node's own implementation, with salt and parameters in a PHC string. */
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';

interface Cost {
  /** In KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** The second of the settings that OWASP recommends. */
const cost: Cost = { memory: 19_456, passes: 2, parallelism: 1 };
const saltBytes = 16;
const tagBytes = 32;
/** At the same time, so that log-ins leave the machine to calls. */
const atOnce = 2;

export class Passwords {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  #decoy: Promise<string> | null = null;

  /** @throws PlatformError `Overloaded` while too many wait */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes);
    const tag = await this.#work(password, salt, cost);
    const { memory, passes, parallelism } = cost;
    const [saltText, tagText] = [salt, tag].map((bytes) => bytes.toString('base64').replace(/=+$/, ''));
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${saltText}$${tagText}`;
  }

  /** Whether it is the password of a hash. Null has none, and takes as long. @throws PlatformError `Overloaded` */
  async matches(password: string, hash: string | null): Promise<boolean> {
    this.#decoy ??= this.hash(randomBytes(saltBytes).toString('hex'));
    const decoy = await this.#decoy;
    const { salt, tag, ...own } = parse(hash ?? decoy);
    const found = await this.#work(password, salt, own);
    return timingSafeEqual(found, tag) && hash !== null;
  }

  async #work(password: string, salt: Buffer, { memory, passes, parallelism }: Cost): Promise<Buffer> {
    await this.#turn();
    const parameters: Argon2Parameters = {
      message: password.normalize('NFKC'),
      nonce: salt,
      memory,
      passes,
      parallelism,
      tagLength: tagBytes,
    };
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        argon2('argon2id', parameters, (error, tag) => (error ? reject(error) : resolve(tag)));
      });
    } finally {
      // Whoever waits takes this place.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= limits.passwordHashesWaiting) {
        throw new PlatformError('Overloaded', { why: `${limits.passwordHashesWaiting} passwords wait to be checked` });
      }
      return new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }
}

function parse(text: string): Cost & { salt: Buffer; tag: Buffer } {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(text);
  if (!match) throw new PlatformError('SealBroken', { why: 'the hash of a password is not as it was written' });
  const [memory, passes, parallelism] = [match[1], match[2], match[3]].map(Number) as [number, number, number];
  const [salt, tag] = [match[4], match[5]].map((part) => Buffer.from(part as string, 'base64')) as [Buffer, Buffer];
  return { memory, passes, parallelism, salt, tag };
}
