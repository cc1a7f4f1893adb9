import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventColumns, MemoryLog } from '@s2lab/events';
import { EventMetrics, LabMetrics } from '@s2lab/metrics';
import { MeteredSink } from './metered-sink.ts';

test('frames that a sink drops because it has given up are not counted as written', async () => {
  const metrics = new LabMetrics(new EventMetrics(), ['pipeline']);
  let takes = true;
  const sink = new MeteredSink(
    new MemoryLog(),
    'file',
    metrics,
    () => 10,
    () => takes,
  );
  const rows = new EventColumns(1);
  rows.append(80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const frame = { origin: { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq: 0, rows };
  await sink.write(frame);
  takes = false;
  await sink.write(frame);
  const text = await metrics.registry.metrics();
  for (const [name, value] of Object.entries({ frames: 1, events: 1, bytes: 10 }))
    assert.match(text, new RegExp(`^s2lab_pipeline_${name}_total\\{sink="file"\\} ${value}$`, 'm'));
});
