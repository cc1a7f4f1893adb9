import { muteKafkaWarnings, readSettings } from '@s2lab/metrics';
import { startFleetService } from './fleet-service.ts';
import { FLEET_SETTINGS } from './service-settings.ts';

/* The fleet as a service: settings from the environment, events to Kafka, one line a happening on standard output. */
muteKafkaWarnings();
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
const say = (line: string): void => console.log(`fleet: ${line}`);
try {
  const service = await startFleetService(readSettings(FLEET_SETTINGS, process.env), stop.signal, say);
  say(`listening on port ${service.http.port}`);
  await service.ended;
  say('ended, everything is acknowledged');
} catch (error) {
  console.error(`fleet: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
