import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireCapability, startKafkaBroker } from '@s2lab/testkit';
import { s2lab } from './spawned-cli.ts';
import { StartedPage } from './started-page.ts';

test('a run through Kafka is the run through a file: the same events, the same verdict', async (t) => {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return;
  const dir = mkdtempSync(join(tmpdir(), 's2lab-kafka-'));
  const broker = await startKafkaBroker({ jars, java });
  try {
    const topic = `kafka://${broker.address}/cli.events`;
    const sent = await s2lab(['record', 'smoke', '--seed', '11', '--kafka', broker.address, '--topic', 'cli.events', '--json'], dir);
    assert.equal(sent.status, 0, sent.stderr);
    const kept = await s2lab(['record', 'smoke', '--seed', '11', '-o', 'file.arrow', '--json'], dir);
    const [overKafka, inFile] = [sent, kept].map(({ stdout }) => JSON.parse(stdout) as { run: string; events: number });
    assert.deepEqual([overKafka!.run, overKafka!.events], [inFile!.run, inFile!.events]);

    const verified = await s2lab(['verify', topic, '--json'], dir);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    const fromFile = await s2lab(['verify', 'file.arrow', '--json'], dir);
    assert.deepEqual(JSON.parse(verified.stdout), JSON.parse(fromFile.stdout));

    await s2lab(['export', topic, '-o', 'kafka.jsonl'], dir);
    await s2lab(['export', 'file.arrow', '-o', 'file.jsonl'], dir);
    assert.ok(readFileSync(join(dir, 'kafka.jsonl')).equals(readFileSync(join(dir, 'file.jsonl'))), 'the events differ');

    const questions = [
      ['show', 'LOG', '--at', '3000', '--vcpu', '0'],
      ['history', 'LOG', '--ipa', '0x40000000', '--level', '2'],
      ['bisect', 'LOG', '--where', 'kind=table-freed'],
      ['replay', 'LOG', '--from', '100', '--to', '140'],
    ];
    for (const question of questions) {
      const answers = await Promise.all(
        [topic, 'file.arrow'].map((from) =>
          s2lab(
            question.map((word) => (word === 'LOG' ? from : word)),
            dir,
          ),
        ),
      );
      assert.equal(answers[0]!.status, 0, answers[0]!.stderr);
      assert.equal(answers[0]!.stdout, answers[1]!.stdout, question[0]);
    }
    const same = await s2lab(['diff', topic, 'file.arrow'], dir);
    assert.equal(same.status, 0, same.stdout + same.stderr);

    const page = new StartedPage(['ui', topic, '--port', '0', '--json'], dir);
    try {
      const { url } = await page.listening();
      const { machines } = (await (await fetch(`${url}api/log/about`)).json()) as { machines: { events: number }[] };
      assert.equal(
        machines.reduce((sum, { events }) => sum + events, 0),
        inFile!.events,
      );
      const moment = await fetch(`${url}api/log/moment?machine=0&seq=1000`);
      assert.equal(((await moment.json()) as { seq: number }).seq, 1000);
    } finally {
      assert.equal(await page.interrupt(), 0, page.stderr);
    }

    const absent = await s2lab(['verify', `kafka://${broker.address}/no.such.topic`], dir);
    assert.equal(absent.status, 2);
    assert.match(absent.stderr, /^s2lab: topic no\.such\.topic[^\n]*\n$/);
  } finally {
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
