import type { ColumnName, EventSource } from '@s2lab/events';
import { UsageError } from './usage-error.ts';

/** A topic on a broker, from `kafka://host:port/topic`. */
export interface TopicAddress {
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** Reads `kafka://host:port[,host:port…]/topic`. @throws UsageError */
export function topicAddress(text: string): TopicAddress {
  const match = /^kafka:\/\/([^/\s]+:\d+(?:,[^/\s]+:\d+)*)\/([A-Za-z0-9._-]{1,249})$/.exec(text);
  if (match === null) throw new UsageError(`${text}: not a topic; give it as kafka://host:port/topic`);
  return { brokers: match[1]!.split(','), topic: match[2]! };
}

/** Opens a log for reading, `without` the columns that are not looked at: a file, or all that a topic holds now. @throws UsageError, LogFileError */
export async function openLog(text: string, without: readonly ColumnName[] = []): Promise<EventSource> {
  if (text.includes('://')) {
    const { brokers, topic } = topicAddress(text);
    const [{ KafkaSource }, { muteKafkaWarnings }] = await Promise.all([import('@s2lab/transport-kafka'), import('@s2lab/metrics')]);
    muteKafkaWarnings();
    return KafkaSource.open({ brokers, topic, clientId: 's2lab', until: 'end', without });
  }
  const { FileSource } = await import('@s2lab/transport-file');
  return FileSource.open(text, { without });
}
