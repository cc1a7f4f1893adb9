import { connect } from 'node:net';
import { metricOf, until } from '@s2lab/testkit';
import { count, demand, run } from './drill.ts';
import { startLab } from './embedded.ts';

/** Readers that do not read. */
const READERS = 40;

/* Pages that are connected to a lab and do not read: the lab must neither wait for them nor keep everything for them. */
await run(async (ending) => {
  const lab = await startLab(ending, ['--no-log', '--scenario', 'mixed', '--speed', '0.003']);
  const { hostname, port } = new URL(lab.address);
  const speed = async (): Promise<number> => {
    const before = await metricOf(lab.address, 's2lab_virtual_time_seconds_total');
    await new Promise((resolve) => {
      setTimeout(resolve, 4_000);
    });
    return (await metricOf(lab.address, 's2lab_virtual_time_seconds_total')) - before;
  };
  await until('the lab runs', async () => (await metricOf(lab.address, 's2lab_events_total')) > 10_000);
  const alone = await speed();
  const memory = async (): Promise<number> => metricOf(lab.address, 'process_resident_memory_bytes');
  const memoryBefore = await memory();
  for (let i = 0; i < READERS; i += 1) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET ${i % 2 === 0 ? '/api/live' : '/api/metrics/live'} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    ending.after(socket, async () => socket.destroy());
  }
  const beside = await speed();
  demand(beside > 0.3 * alone, `virtual time went ${(beside / alone).toFixed(2)} times as fast as without them`);
  const grown = (await memory()) - memoryBefore;
  const answered = await until('the lab answers', async () => (await fetch(`${lab.address}/api/state`)).ok);
  const { status, ended } = await lab.stop();
  demand(status === 0, 'the lab did not end well');
  return {
    drill: `slow consumer: ${READERS} pages that are connected and never read`,
    lost: `nothing: ${count(Number(ended['events']))} events verified; virtual time went on at ${Math.round((100 * beside) / alone)} % of its pace`,
    recovery: 'a question beside them → its answer',
    recoveredMs: answered,
    seen: `memory grew by ${Math.round(grown / 1e6)} MB in 4 s; a reader that is 4 MiB behind is cut off`,
  };
});
