import type { Workload } from '@s2lab/engine';
import { Command, COMMAND } from '@s2lab/engine';

const ACCESS_NS = 50;
const OPERATION_NS = 500;
const BLANK = Object.assign({}, new Command());

/** One command that a driven workload gave. */
export type DrivenCommand = { readonly actor: number; readonly atNs: number } & Readonly<Command>;

/**
 * Stands in for a machine in specs: asks the actor whose virtual time is lowest and lets every command take a fixed time, until
 * all are done or `limit` commands were given. Delays are left out of what it returns.
 */
export function driveWorkload(workload: Workload, actors: number, limit: number): { commands: DrivenCommand[]; ended: boolean } {
  const commands: DrivenCommand[] = [];
  const clock = new Float64Array(actors);
  const done = new Uint8Array(actors);
  for (let asked = 0; asked < limit; asked += 1) {
    let actor = -1;
    for (let a = 0; a < actors; a += 1) if (done[a] === 0 && (actor === -1 || clock[a]! < clock[actor]!)) actor = a;
    if (actor === -1) return { commands, ended: true };
    const command = Object.assign(new Command(), BLANK);
    const atNs = clock[actor]!;
    workload.next(actor, atNs, 0, command);
    if (command.kind === COMMAND.done) done[actor] = 1;
    else if (command.kind === COMMAND.delay) clock[actor] = atNs + command.durationNs;
    else {
      commands.push(Object.assign({ actor, atNs }, command));
      clock[actor] = atNs + (command.kind === COMMAND.access ? ACCESS_NS : OPERATION_NS);
    }
  }
  return { commands, ended: false };
}
