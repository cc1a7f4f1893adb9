import { isDamage } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { muteKafkaWarnings } from '@s2lab/metrics';
import { KafkaSource } from '@s2lab/transport-kafka';
import { count, demand } from './drill.ts';

/** What is in a topic, by a reader that trusts nobody. */
export interface TopicContent {
  /** Events of each run, each counted once. */
  readonly runs: ReadonlyMap<string, number>;
  readonly events: number;
  readonly duplicates: number;
}

/**
 * Reads a topic from its beginning to its end and folds it into a verifier of its own.
 * @throws Error when an event is missing, a message is damaged, a machine has two writers or an invariant does not hold
 */
export async function checkTopic(brokers: string, topic: string): Promise<TopicContent> {
  muteKafkaWarnings();
  const verifier = new Verifier();
  const source = await KafkaSource.open({ brokers: [brokers], clientId: 'drill', topic, until: 'end' });
  for await (const item of source.frames()) {
    if (isDamage(item)) demand(false, `damaged message at ${item.where}: ${item.because}`);
    else verifier.fold(item);
  }
  await source.close();
  const verdict = verifier.finish();
  const missing = verdict.gaps.map(({ run, machine }) => `${run}/${machine}`);
  demand(missing.length === 0, `events are missing of ${missing.join(', ')}`);
  demand(verdict.verdict === 'holds', JSON.stringify(verdict.violations[0])); // I17 among them: order, one writer
  const runs = new Map<string, number>();
  for (const { run, events } of verdict.machines) runs.set(run, (runs.get(run) ?? 0) + events);
  return { runs, events: verdict.events, duplicates: verdict.duplicates };
}

/** “nothing: N events in the topic, M acknowledged”. @throws Error when fewer are there than were acknowledged */
export function nothingLost(content: TopicContent, acknowledged: number): string {
  demand(content.events >= acknowledged, `${count(acknowledged)} events were acknowledged, ${count(content.events)} are in the topic`);
  return `nothing: ${count(acknowledged)} events acknowledged, ${count(content.events)} in the topic, no gap, verdict holds`;
}
