import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requireCapability } from '@s2lab/testkit';
import { s2lab } from './spawned-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-trace-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const GUEST = 0x8000_0000;
const HVA = 0x7f00_0000_0000;

/** A trace of three vCPUs that write and read 300 pages of their own, and of a VMM that takes pages back; the same at every call. */
function traceText(): string {
  const lines = ['cpus=4'];
  let random = 1;
  const below = (n: number): number => {
    random = (random * 48_271) % 0x7fff_ffff;
    return random % n;
  };
  for (let i = 0; i < 300; i += 1) {
    const vcpu = below(3);
    const at = (100 + i * 0.000_1).toFixed(6);
    const who = `  CPU ${vcpu}/KVM-${4000 + vcpu}  [00${vcpu}]  ${at}:`;
    const ipa = GUEST + (3 * i + vcpu) * 4096;
    const hsr = below(2) === 0 ? '0x92000046' : '0x92000006';
    lines.push(`${who} kvm_guest_fault:      ipa 0x${ipa.toString(16)}, hsr ${hsr}, hxfar 0xffff8000, pc 0x80528a6c`);
    lines.push(`${who} kvm_entry:            PC: 0x80528a6c`);
    if (i % 50 !== 49) continue;
    const first = (HVA + 3 * (i - 20) * 4096).toString(16);
    const end = (HVA + 3 * i * 4096).toString(16);
    lines.push(`  qemu-77  [003]  ${at}: kvm_unmap_hva_range:  mmu notifier unmap range: 0x${first} -- 0x${end}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Reads trace and log on its own: the trace by its own expressions, the log with pyarrow; prints what each says, thread by thread. */
const PYTHON = `
import collections, json, re, sys, pyarrow.ipc as ipc
guest, hva = int(sys.argv[3]), int(sys.argv[4])
kinds = {v: int(k) for k, v in json.loads(ipc.open_file(sys.argv[2]).schema.metadata[b'kinds']).items()}
table = ipc.open_file(sys.argv[2]).read_all().to_pydict()
threads, traced, unmapped = [], collections.defaultdict(list), []
for line in open(sys.argv[1]):
    fault = re.search(r'-(\\d+) +\\[.*kvm_guest_fault: +ipa (\\w+), hsr (\\w+),', line)
    unmap = re.search(r'unmap range: (\\w+) -- (\\w+)', line)
    if fault:
        if fault[1] not in threads: threads.append(fault[1])
        traced[threads.index(fault[1])].append([int(fault[2], 16), 2 if int(fault[3], 16) & 0x40 else 1])
    if unmap:
        first, end = int(unmap[1], 16), int(unmap[2], 16)
        unmapped.append([guest + first - hva, end - first])
logged, operations = collections.defaultdict(list), []
for i, kind in enumerate(table['kind']):
    if kind == kinds['guest-accessed']: logged[table['actor'][i]].append([table['ipa'][i], table['arg'][i]])
    if kind == kinds['operation-began'] and table['arg'][i] == 1: operations.append([table['ipa'][i], table['old'][i]])
print(json.dumps({'traced': traced, 'logged': logged, 'unmapped': unmapped, 'operations': operations}))
`;

test('an imported trace holds every fault of every vCPU in its order, and every unmapping, as pyarrow reads it; and it holds', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const trace = join(dir, 'trace.txt');
  const memslots = join(dir, 'memslots.json');
  const log = join(dir, 'trace.arrow');
  writeFileSync(trace, traceText());
  writeFileSync(
    memslots,
    JSON.stringify({ memslots: [{ id: 0, ipa: `0x${GUEST.toString(16)}`, bytes: '0x10000000', hva: `0x${HVA.toString(16)}` }] }),
  );
  const imported = await s2lab(['import', 'trace-cmd', trace, '--memslots', memslots, '-o', log, '--json'], dir);
  assert.equal(imported.status, 0, imported.stderr);
  const child = spawnSync(python, ['-c', PYTHON, trace, log, String(GUEST), String(HVA)], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const { traced, logged, unmapped, operations } = JSON.parse(child.stdout) as Record<string, object>;
  assert.deepEqual(logged, traced);
  assert.equal(Object.keys(traced!).length, 3);
  assert.deepEqual(operations, unmapped);
  assert.equal((await s2lab(['verify', log], dir)).status, 0);
});

test('what is no trace, or one that lost events, leaves no log behind and says where', async () => {
  const wrong = join(dir, 'wrong.txt');
  writeFileSync(wrong, 'cpus=1\n  a-1 [000] 1.000000: kvm_guest_fault: ipa here\n');
  const refused = await s2lab(['import', 'trace-cmd', wrong, '-o', join(dir, 'none.arrow')], dir);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /wrong\.txt:2: kvm_guest_fault: its text/);
  assert.equal((await s2lab(['verify', join(dir, 'none.arrow')], dir)).status, 2);
});
