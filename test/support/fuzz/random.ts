/** Reproducible choices. */
export class Random {
  private state: number;

  constructor(...seeds: readonly (number | string)[]) {
    this.state = 0x811c9dc5;
    for (const char of seeds.join('/')) this.state = Math.imul(this.state ^ char.charCodeAt(0), 0x01000193);
  }

  /** From 0 up to 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}
