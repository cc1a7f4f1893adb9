import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { conform } from './index.ts';

const GOLDEN = new URL('../../../testdata/golden/', import.meta.url);

function recording(file: string): string[] {
  return gunzipSync(readFileSync(new URL(file, GOLDEN)))
    .toString()
    .split('\n');
}

function files(folder: string): string[] {
  return readdirSync(new URL(folder, GOLDEN))
    .filter((file) => file.endsWith('.jsonl.gz'))
    .map((file) => folder + file);
}

const all = ['stock/', 'kvm/', 'pkvm/', 'v6.1/'].flatMap(files);

test('recordings of every granule, in parallel and in sequence, of the fault path, of the hypervisor and of the older kernel are compared', () => {
  for (const kind of [
    /^stock\/.*ps12/,
    /^stock\/.*ps14/,
    /^stock\/.*ps16/,
    /^stock\/parallel/,
    /^kvm\/.*ps12/,
    /^kvm\/.*ps14/,
    /^pkvm\/.*ps12/,
    /^pkvm\/.*ps14/,
    /^v6\.1\//,
  ]) {
    assert.ok(
      all.some((file) => kind.test(file)),
      `${kind}`,
    );
  }
});

for (const file of all) {
  test(`the engine does what the kernel was recorded to do: ${file}`, () => {
    const { agreed, firstDifference, operations, events } = conform(recording(file));
    assert.deepEqual(firstDifference, null);
    assert.ok(agreed && operations > 10 && events > operations);
  });
}

const labels: Record<string, { first_divergence_line: number }> = JSON.parse(readFileSync(new URL('broken/labels.json', GOLDEN), 'utf8'));

for (const file of files('broken/')) {
  test(`a recording of defective code differs where its defect first shows: ${file}`, () => {
    const { agreed, firstDifference } = conform(recording(file));
    assert.equal(agreed, false);
    const { first_divergence_line: line } = labels[file.replace(/^broken\/|\.jsonl\.gz$/g, '')]!;
    // A callback's line follows the events it caused, and says nothing itself: the difference shows in the lines next to it.
    assert.ok(Math.abs(firstDifference!.line - line) <= 2, `line ${firstDifference!.line}, and the label says ${line}`);
  });
}
