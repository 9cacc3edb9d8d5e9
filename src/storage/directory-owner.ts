import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What a tag says about who made a temporary file or a lock. */
interface Owner {
  readonly machine: string;
  readonly pid: number;
  /** When the process started, in ticks since boot; `0` where the system does not tell. */
  readonly started: string;
}

const TAG = /^([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-[0-9a-f]{12}$/;

/** A new name for something that this process makes; other processes can tell from it whether this one still runs. */
export function makeTag(): string {
  return `${thisMachine()}-${process.pid}-${startOf(process.pid) ?? 0}-${randomBytes(6).toString('hex')}`;
}

/**
 * Tells whether the process behind a tag has ended. `unknown` for one of another machine, or for what is no tag: it may
 * still run.
 */
export function ownerState(tag: string): 'alive' | 'dead' | 'unknown' {
  const owner = parseTag(tag);
  if (owner === undefined || owner.machine !== thisMachine()) return 'unknown';
  const started = startOf(owner.pid);
  // The number of a process that ended is given to another one in time; the two started at different ticks.
  if (started !== undefined && owner.started !== '0') return started === owner.started ? 'alive' : 'dead';
  try {
    process.kill(owner.pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'dead' : 'alive';
  }
}

function parseTag(tag: string): Owner | undefined {
  const found = TAG.exec(tag);
  return found ? { machine: found[1]!, pid: Number(found[2]), started: found[3]! } : undefined;
}

let machine: string | undefined;

/** Where numbers of processes mean the same: a machine, and on it a container. */
function thisMachine(): string {
  const read = (what: () => string) => {
    try {
      return what();
    } catch {
      return '';
    }
  };
  machine ??= createHash('sha256')
    .update(
      [
        hostname(),
        read(() => readFileSync('/etc/machine-id', 'utf8')),
        read(() => readlinkSync('/proc/self/ns/pid')),
      ].join('\n'),
    )
    .digest('hex')
    .slice(0, 8);
  return machine;
}

/** From Linux's `/proc`; `ended` for a process that has ended but was not waited for; undefined where there is no telling. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /^[ZXx]/.test(fields[0]!) ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}
