import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CapabilityName, requireCapability } from '@s2lab/testkit';
import { runCommand } from './project.ts';

/** How each program shows that it works, given its path. */
const PROOFS: Readonly<Record<Exclude<CapabilityName, 'kafka'>, readonly [args: readonly string[], says: RegExp]>> = {
  java: [['-version'], /version "(1[7-9]|[2-9]\d)/],
  prometheus: [['--version'], /^prometheus, version \d/],
  promtool: [['--version'], /^promtool, version \d/],
  chromium: [['--version'], /Chrom\w+ \d/],
  pyarrow: [
    ['-c', 'import duckdb, pyarrow; print(duckdb.sql("select 6 * 7").fetchall(), pyarrow.array([1, 2]).type)'],
    /\[\(42,\)\] int64/,
  ],
  perfetto: [
    ['-c', 'from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as p; print(p.Trace().ByteSize(), p.Trace.DESCRIPTOR.full_name)'],
    /^0 perfetto\.protos\.Trace/,
  ],
};

describe('what was provisioned works', () => {
  for (const [name, [args, says]] of Object.entries(PROOFS)) {
    it(`${name} runs`, (t) => {
      const path = requireCapability(t, name as CapabilityName);
      if (path !== undefined) assert.match(runCommand(path, args).output, says);
    });
  }

  it('the Kafka jars hold the broker and its performance test', (t) => {
    const java = requireCapability(t, 'java');
    const jars = requireCapability(t, 'kafka');
    if (java === undefined || jars === undefined) return;
    assert.match(runCommand(java, ['-cp', `${jars}/*`, 'kafka.Kafka', '--version']).output, /^4\.\d/m);
    assert.match(runCommand(java, ['-cp', `${jars}/*`, 'org.apache.kafka.tools.ProducerPerformance', '--help']).output, /producer-perf/);
  });
});
