/** Places that work has to wait for: so many in all, and so many for each owner. Whoever asked first and may go, goes. */

interface Waiting {
  readonly owner: string;
  readonly go: () => void;
}

export class Slots {
  readonly #all: number;
  readonly #each: number;
  readonly #taken = new Map<string, number>();
  #used = 0;
  readonly #waiting: Waiting[] = [];

  constructor(all: number, each: number) {
    this.#all = all;
    this.#each = each;
  }

  /** Runs work once there is a place for its owner. */
  async run<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    if (!this.#free(owner)) await new Promise<void>((go) => this.#waiting.push({ owner, go }));
    else this.#take(owner);
    try {
      return await work();
    } finally {
      this.#give(owner);
    }
  }

  #free(owner: string): boolean {
    return this.#used < this.#all && (this.#taken.get(owner) ?? 0) < this.#each;
  }

  #take(owner: string): void {
    this.#used += 1;
    this.#taken.set(owner, (this.#taken.get(owner) ?? 0) + 1);
  }

  #give(owner: string): void {
    this.#used -= 1;
    const left = (this.#taken.get(owner) ?? 1) - 1;
    if (left > 0) this.#taken.set(owner, left);
    else this.#taken.delete(owner);
    const next = this.#waiting.findIndex((each) => this.#free(each.owner));
    if (next < 0) return;
    const [waiting] = this.#waiting.splice(next, 1);
    this.#take(waiting!.owner);
    waiting!.go();
  }
}
