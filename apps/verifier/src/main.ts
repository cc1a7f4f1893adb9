import { muteKafkaWarnings, readSettings } from '@s2lab/metrics';
import { VERIFIER_SETTINGS } from './service-settings.ts';
import { startVerifierService } from './verifier-service.ts';

/* The verifier as a service: settings from the environment, events from Kafka, one line a happening on standard output. */
muteKafkaWarnings();
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
const say = (line: string): void => console.log(`verifier: ${line}`);
try {
  const service = await startVerifierService(readSettings(VERIFIER_SETTINGS, process.env), stop.signal, say);
  say(`listening on port ${service.http.port}`);
  await service.ended;
  say('ended');
} catch (error) {
  console.error(`verifier: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
