import type { Command } from 'commander';
import type { MachineView, TableNode } from '@s2lab/timeline';
import { addressArgument, countArgument } from '../arguments.ts';
import type { MachineChoice } from '../inspect/log-machine.ts';
import { chosenMachine, withMachine, withTimeline } from '../inspect/log-machine.ts';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { UsageError } from '../usage-error.ts';

interface ShowOptions extends MachineChoice {
  readonly at: number;
  readonly ipa?: number;
  readonly table?: number;
  readonly vcpu?: number;
  readonly lines: number;
  readonly json?: boolean;
}

/** `show`: a machine at one event of its log. */
export function addShow(program: Command): void {
  withMachine(program.command('show'))
    .description('show a machine at any event of its log: table tree, walkers, locks, TLBs, pending frees')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .requiredOption('--at <seq>', 'sequence number: the machine just after this event', countArgument)
    .option('--ipa <address>', 'only the descriptors on the way to this address', addressArgument)
    .option('--table <n>', 'only the tree below this table page', countArgument)
    .option('--vcpu <n>', 'the TLB of this vCPU', countArgument)
    .option('--lines <n>', 'most lines of the tree', countArgument, 60)
    .option('--json', 'print as JSON (docs/CLI.md); the tree is whole then')
    .addHelpText(
      'after',
      `
Examples:
  s2lab show run.arrow --at 41250
  s2lab show run.arrow --at 41250 --ipa 0x40200000 --vcpu 1
  s2lab show run.arrow --at 41250 --table 7 --json

The first use builds checkpoints beside the log (LOG.checkpoints), from which any event is a moment away; see s2lab index.`,
    )
    .action(show);
}

async function show(log: string, options: ShowOptions): Promise<void> {
  const [{ ipa, hexAddress }, { activityText, tableTrees, tlbOf, treeLines, treeOf }] = await Promise.all([
    import('@s2lab/arch'),
    import('@s2lab/timeline'),
  ]);
  await withTimeline(log, options.json === true, async (timeline) => {
    const machine = chosenMachine(timeline, options);
    const progress = new Progress(options.json === true);
    await timeline.requireCheckpoints(false, (events) => progress.update(() => `${log}: ${compact(events)} events indexed`));
    progress.end();
    const view = await timeline.viewAt(machine, options.at);
    if (options.vcpu !== undefined && options.vcpu >= view.vcpus)
      throw new UsageError(`--vcpu ${options.vcpu}: the machine has vCPUs 0 to ${view.vcpus - 1}`);
    const trees = treesOf(view, options);
    const tlb = options.vcpu === undefined ? null : tlbOf(view, options.vcpu);
    const actors = Array.from({ length: view.vcpus + 2 }, (_, actor) => view.actors.of(actor));
    const pending = pendingFrees(view);
    if (options.json === true) {
      sayJson({
        run: machine.run,
        machine: machine.machine,
        at: options.at,
        virtualNs: view.at,
        ...figures(view),
        actors,
        pending,
        trees,
        tlb,
      });
      return;
    }
    say(`${machine.run}, machine ${machine.machine}, event ${options.at}, ${(view.at / 1000).toFixed(3)} µs`);
    for (const line of figuresLines(view)) say(line);
    for (const activity of actors) say(`  ${view.actorName(activity.actor).padEnd(15)} ${activityText(activity)}`);
    for (const { table, level, gracePeriod } of pending)
      say(`  pending free: table ${table} (unlinked below level ${level}) waits for grace period ${gracePeriod}`);
    for (const line of treeLines(trees, options.lines)) say(line);
    for (const { cache, ipa: base, bytes, text } of tlb ?? [])
      say(`  ${cache.padEnd(10)} [${hexAddress(base)}, +${hexAddress(bytes)}) ${text}`);
    if (tlb?.length === 0) say(`  vCPU ${options.vcpu} has nothing cached`);
  });

  function treesOf(view: MachineView, { table, ipa: address }: ShowOptions): readonly TableNode[] {
    if (table === undefined) return tableTrees(view, address === undefined ? undefined : ipa(address));
    const tree = treeOf(view, table);
    if (tree === undefined) throw new UsageError(`--table ${table}: the machine has had no such table up to event ${options.at}`);
    return [tree];
  }
}

interface PendingFree {
  readonly vmid: number;
  readonly table: number;
  readonly level: number;
  readonly gracePeriod: number;
}

/** Retired sub-trees, those of each stage-2 in the order in which they were retired. */
function pendingFrees(view: MachineView): readonly PendingFree[] {
  return view.stage2s.flatMap(({ vmid, retired, retiredHead, retiredCount }) =>
    Array.from({ length: retiredCount }, (_, i) => {
      const at = (retiredHead + 3 * i) % retired.length;
      return { vmid, table: retired[at]!, level: retired[at + 1]!, gracePeriod: retired[at + 2]! };
    }),
  );
}

function figures(view: MachineView) {
  return {
    liveTables: view.world?.pages.live ?? 0,
    stage2s: view.stage2s.map(({ vmid, root, lock, gracePeriod, gracePeriodOpen, awaited }) => ({
      vmid,
      exists: root >= 0,
      lock: { readers: lock.readers, writer: lock.writer < 0 ? null : lock.writer },
      waiting: Array.from(lock.waiting.subarray(0, lock.waitingCount)),
      gracePeriod: {
        number: gracePeriod,
        open: gracePeriodOpen === 1,
        awaits: Array.from(awaited.keys()).filter((actor) => awaited[actor] === 1),
      },
    })),
  };
}

function figuresLines(view: MachineView): string[] {
  const { liveTables, stage2s } = figures(view);
  const names = (actors: readonly number[]): string => actors.map((actor) => view.actorName(actor)).join(', ');
  const lines = stage2s.map(({ vmid, exists, lock, waiting, gracePeriod }) =>
    [
      exists ? `stage-2 of VMID ${vmid}` : `no stage-2 of VMID ${vmid}`,
      lock.writer === null ? `its lock: ${lock.readers} readers` : `its lock: held by ${view.actorName(lock.writer)} for write`,
      waiting.length === 0 ? '' : `waiting for it: ${names(waiting)}`,
      gracePeriod.open ? `grace period ${gracePeriod.number} waits for ${names(gracePeriod.awaits) || 'nobody'}` : '',
    ]
      .filter((part) => part !== '')
      .join('; '),
  );
  return [`${liveTables} live tables`, ...lines];
}
