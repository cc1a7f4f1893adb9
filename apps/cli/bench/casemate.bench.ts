/*
 * The verifier with casemate's rules on the kinds of trace that casemate-check 3.0.2 was measured on, 10^6 records each: breaks of leaves,
 * four threads with eight VMs, tables that become blocks and back. CPU time from the imported log (compressed file) to the verdict, in a
 * process of its own; the targets are ten times casemate-check's events/s of CPU time.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDamage } from '@s2lab/events';
import { UNREAD_COLUMNS, Verifier } from '@s2lab/invariants';
import { importCasemate } from '@s2lab/recordings';
import { FileSink, FileSource } from '@s2lab/transport-file';

const RECORDS = 1_000_000;
const TABLES = 0x4000_0000;
const LOCKS = 0x5000_0000;

/** Lines of a trace: each record with its number and thread. */
class Lines {
  readonly lines: string[] = [];

  put(head: string, thread: number, fields: string): void {
    this.lines.push(`(${head} (id ${this.lines.length}) (tid ${thread}) ${fields} (src "bench:1"))\n`);
  }

  write(thread: number, address: number, value: number): void {
    this.put('mem-write', thread, `(mem-order release) (address ${address.toString(16)}) (value ${value.toString(16)})`);
  }

  lock(thread: number, vm: number, head = 'lock'): void {
    this.put(head, thread, `(address ${(LOCKS + 64 * vm).toString(16)})`);
  }

  dsb(thread: number): void {
    this.put('barrier', thread, 'dsb (kind ish)');
  }

  /** A VM with a root and tables of levels 1 to 3 below it, its root loaded by `thread`. Returns the address of its level-3 table. */
  vm(vm: number, thread: number): number {
    const root = TABLES + vm * 0x1_0000;
    for (let page = 0; page < 5; page++) this.put('mem-init', thread, `(address ${(root + page * 4096).toString(16)}) (size 1000)`);
    this.put('hint', thread, `(kind set_root_lock) (location ${root.toString(16)}) (value ${(LOCKS + 64 * vm).toString(16)})`);
    for (let page = 0; page < 3; page++) this.write(thread, root + page * 4096, root + (page + 1) * 4096 + 3);
    this.load(thread, vm);
    return root + 3 * 4096;
  }

  load(thread: number, vm: number): void {
    this.put(
      'sysreg-write',
      thread,
      `(sysreg vttbr_el2) (value ${((BigInt(vm + 1) << 48n) | BigInt(TABLES + vm * 0x1_0000)).toString(16)})`,
    );
  }

  /** A leaf goes from one page to another. */
  breakLeaf(thread: number, table: number, slot: number, page: number): void {
    const address = table + 8 * slot;
    this.write(thread, address, 0);
    this.dsb(thread);
    this.put('tlbi', thread, `ipas2e1is (value ${slot.toString(16)})`);
    this.dsb(thread);
    this.put('tlbi', thread, 'vmalle1is');
    this.dsb(thread);
    this.write(thread, address, 0x9000_07c3 + page * 4096);
  }
}

function leafTrace(): string {
  const t = new Lines();
  const table = t.vm(0, 0);
  t.lock(0, 0);
  for (let slot = 0; slot < 512; slot++) t.write(0, table + 8 * slot, 0x8000_07c3 + slot * 4096);
  for (let n = 0; t.lines.length < RECORDS; n++) t.breakLeaf(0, table, (n * 37) & 511, n & 0xffff);
  return t.lines.join('');
}

function mixedTrace(): string {
  const t = new Lines();
  const tables = Array.from({ length: 8 }, (_, vm) => t.vm(vm, vm & 3));
  for (let n = 0; t.lines.length < RECORDS; n++) {
    const [thread, vm] = [n & 3, (n * 5) & 7];
    t.load(thread, vm);
    t.lock(thread, vm);
    t.breakLeaf(thread, tables[vm]!, (n * 37) & 511, n & 0xffff);
    t.lock(thread, vm, 'unlock');
  }
  return t.lines.join('');
}

function collapseTrace(): string {
  const t = new Lines();
  const table = t.vm(0, 0);
  const slot = table - 4096;
  t.lock(0, 0);
  for (let n = 0; t.lines.length < RECORDS; n++) {
    t.write(0, slot, 0);
    t.dsb(0);
    t.put('tlbi', 0, 'vmalls12e1is');
    t.dsb(0);
    t.write(0, slot, (n & 1) === 0 ? 0x9000_07c1 : table + 3);
  }
  return t.lines.join('');
}

/** CPU seconds from an opened log to the verdict, in a process that has done nothing else. */
async function verify(log: string): Promise<void> {
  const before = process.cpuUsage();
  const verifier = new Verifier({ profile: 'casemate' });
  const source = await FileSource.open(log, { without: UNREAD_COLUMNS });
  for await (const item of source.frames()) if (!isDamage(item)) verifier.fold(item);
  await source.close();
  const verdict = verifier.finish();
  const used = process.cpuUsage(before);
  if (verdict.verdict !== 'holds') throw new Error(`the trace must be legal: ${JSON.stringify(verdict.violations[0])}`);
  console.log(String((used.user + used.system) / 1e6));
}

async function measure(name: string, text: string, theirs: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-casemate-bench-'));
  const log = join(folder, 'trace.arrow');
  const line = (what: string, seconds: number, target?: number): void => {
    const value = Math.round(RECORDS / seconds);
    console.log(
      JSON.stringify({
        name: `casemate ${name}, ${what}`,
        value,
        unit: 'events/s',
        better: 'higher',
        ...(target === undefined ? {} : { target }),
      }),
    );
  };
  try {
    const before = process.cpuUsage();
    const sink = await FileSink.create(log);
    for (const frame of importCasemate(text)) await sink.write(frame);
    await sink.close();
    const used = process.cpuUsage(before);
    const child = spawnSync(process.execPath, [import.meta.filename, log], { encoding: 'utf8' });
    if (child.status !== 0) throw new Error(child.stderr);
    line('verify from a file', Number(child.stdout), 10 * theirs);
    line('import from text', (used.user + used.system) / 1e6);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [log] = process.argv.slice(2);
if (log !== undefined) await verify(log);
else {
  await measure('tables and blocks', collapseTrace(), 104_000);
  await measure('four threads, eight VMs', mixedTrace(), 222_000);
  await measure('leaves', leafTrace(), 763_000);
}
