import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Geometry } from '@s2lab/arch';
import { geometry, isLocked, isTable, PROT, spanBytes } from '@s2lab/arch';
import type { Command, Workload, World } from '@s2lab/engine';
import { COMMAND, FRAME, machineConfig } from '@s2lab/engine';
import { RESULT, WALK_FLAG } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { FleetRun } from '@s2lab/scheduler';

const RWX = PROT.r | PROT.w | PROT.x;
const VMM = 1;
/** Where the tables of a straight map may all come from. */
const PLENTY = 64;

/** A walk of the library: where, in pages from the beginning or before the end of the address space, and over how many pages. */
interface Walk {
  readonly kind: number;
  readonly fromEnd: boolean;
  readonly page: number;
  readonly pages: number;
  /** Instead of these pages the whole block that holds the first of them. */
  readonly block: boolean;
  readonly cachePages: number;
  readonly shared: boolean;
}

const anyWalk: fc.Arbitrary<Walk> = fc.record({
  kind: fc.constantFrom(
    COMMAND.map,
    COMMAND.map,
    COMMAND.unmap,
    COMMAND.wrprotect,
    COMMAND.relax,
    COMMAND.mkyoung,
    COMMAND.age,
    COMMAND.split,
  ),
  fromEnd: fc.boolean(),
  page: fc.nat(6),
  pages: fc.integer({ min: 1, max: 4 }),
  block: fc.boolean(),
  cachePages: fc.nat(4),
  shared: fc.boolean(),
});

const anyMachine = fc
  .record({
    pageShift: fc.constantFrom(12, 14, 16),
    ipaBits: fc.integer({ min: 32, max: 52 }),
    lpa2: fc.boolean(),
    fwb: fc.boolean(),
    tlbRange: fc.boolean(),
  })
  // Above 48 bits the granules of 4K and 16K have LPA2's descriptors; that of 64K never has.
  .map((shape) => ({ ...shape, lpa2: shape.pageShift !== 16 && (shape.lpa2 || shape.ipaBits > 48) }));

/** The VMM's walks one after the other; a map that ran out of table pages is asked for again with plenty of them, as after a top-up. */
class Walks implements Workload {
  readonly results: number[] = [];
  private readonly left: Walk[];
  private readonly shape: Geometry;
  private readonly check: () => void;
  private asked: Walk | undefined;
  private again = false;

  constructor(walks: readonly Walk[], shape: Geometry, check: () => void) {
    this.left = [...walks];
    this.shape = shape;
    this.check = check;
  }

  next(actor: number, _now: number, result: number, command: Command): void {
    if (actor !== VMM) return;
    this.check();
    if (this.asked !== undefined) this.results.push(result);
    if (this.again) assert.equal(result, RESULT.ok);
    this.again = result === RESULT.enomem && this.asked?.kind === COMMAND.map;
    if (this.again) this.ask(this.asked!, PLENTY, WALK_FLAG.ignoreEagain, command);
    else if (this.left.length > 0) {
      this.asked = this.left.shift()!;
      this.ask(this.asked, this.asked.cachePages, this.asked.shared ? WALK_FLAG.shared : 0, command);
    } else if (this.asked?.kind === COMMAND.destroy) this.asked = undefined;
    else if (this.asked !== undefined) {
      this.asked = { ...this.asked, kind: COMMAND.destroy };
      command.kind = COMMAND.destroy;
    }
  }

  private ask(walk: Walk, cachePages: number, flags: number, command: Command): void {
    const { shape } = this;
    const block = spanBytes(shape, 2);
    const base = walk.fromEnd ? shape.ipaBytes - 2 * block : 0;
    command.kind = walk.kind;
    command.ipa = base + (walk.block ? 0 : walk.page * shape.pageBytes);
    command.bytes = walk.block ? block : walk.pages * shape.pageBytes;
    command.pa = command.ipa;
    command.prot = walk.kind === COMMAND.relax ? PROT.r : RWX;
    command.flags = walk.kind === COMMAND.map || walk.kind === COMMAND.relax || walk.kind === COMMAND.mkyoung ? flags : 0;
    command.cachePages = cachePages;
    command.makeOld = 1;
  }
}

/** Nothing is half made: no descriptor is locked, each table is live and counts what is in it. */
function assertSound(world: World): void {
  const stage2 = world.stage2s[1]!;
  if (stage2.root < 0) return;
  const { pages } = world;
  let found = 0;
  const visit = (table: number, level: number): void => {
    found += 1;
    assert.equal(pages.state[table], FRAME.live);
    let used = 0;
    for (let i = pages.indexOf(table, 0); i < pages.indexOf(table + 1, 0); i += 2) {
      const lo = pages.descriptors[i]!;
      const hi = pages.descriptors[i + 1]!;
      if (lo === 0 && hi === 0) continue;
      used += 1;
      assert.ok(!isLocked(lo, hi), `a locked descriptor is left at level ${level}`);
      if (isTable(lo, level)) visit(pages.frameOf(lo, hi), level + 1);
    }
    assert.equal(pages.references[table], 1 + used);
  };
  for (let page = 0; page < stage2.rootPages; page += 1) visit(stage2.root + page, stage2.shape.startLevel);
  assert.ok(found <= pages.live);
}

test('whatever walks the library is asked for, at every granule and IPA size, with or without LPA2, FWB and range invalidation, none leaves a half-made tree', () => {
  let exhausted = 0;
  fc.assert(
    fc.property(anyMachine, fc.array(anyWalk, { minLength: 1, maxLength: 8 }), (machine, walks) => {
      const { pageShift, ipaBits, lpa2 } = machine;
      const origin = { run: 'walks', machine: 0, policy: 'rcu', machineKind: 'kvm' as const, workload: 'walks' };
      const workload = new Walks(walks, geometry(pageShift, ipaBits, lpa2), () => assertSound(run.worldOf(0)));
      const run = new FleetRun([{ origin, config: machineConfig({ ...machine, vcpus: 1 }), policy: policyByName('rcu'), workload }]);
      const verifier = new Verifier();
      for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) verifier.fold(frame);
      assert.deepEqual(verifier.finish().violations, []);
      assert.equal(run.worldOf(0).pages.live, 0);
      exhausted += workload.results.filter((result) => result === RESULT.enomem).length;
    }),
    { numRuns: 120 },
  );
  assert.ok(exhausted > 0);
});
