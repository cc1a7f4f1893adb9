import { z } from 'zod';

const number = (min: number, max: number): z.ZodCoercedNumber => z.coerce.number().min(min).max(max);

/** Environment variables of the fleet service, with their defaults. */
export const FLEET_SETTINGS = z.object({
  S2LAB_KAFKA_BROKERS: z
    .string()
    .min(1)
    .default('127.0.0.1:9092')
    .meta({ description: 'Kafka bootstrap servers, host:port, comma-separated' }),
  S2LAB_TOPIC: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/)
    .default('s2lab.events')
    .meta({ description: 'Topic of the events' }),
  S2LAB_PARTITIONS: number(1, 1024).int().default(8).meta({ description: 'Partitions of the topic, made if it does not exist' }),
  S2LAB_REPLICAS: number(1, 16).int().default(1).meta({ description: 'Copies of each partition, when the topic is made' }),
  S2LAB_SCENARIO: z.string().min(1).default('demo').meta({ description: 'Built-in scenario, or path of a scenario file' }),
  S2LAB_POLICY: z.string().min(1).optional().meta({ description: 'Policy of all machines, instead of the scenario’s' }),
  S2LAB_SPEED: number(0, 1000).default(0.0015).meta({ description: 'Virtual seconds per wall second; 0 = as fast as it goes' }),
  S2LAB_SEED: number(0, 0xffff_ffff)
    .int()
    .default(1)
    .meta({ description: 'Seed of the first run; each further run of the process takes the next' }),
  S2LAB_MACHINE_BASE: number(0, 1_000_000)
    .int()
    .default(0)
    .meta({ description: 'Number of the first machine; only spreads the load over partitions, run ids are unique anyway' }),
  S2LAB_HTTP_HOST: z.string().min(1).default('127.0.0.1').meta({ description: 'Address the HTTP server binds to' }),
  S2LAB_HTTP_PORT: number(0, 65535).int().default(9464).meta({ description: 'Port of the HTTP server' }),
});

/** Settings of the fleet service, checked and complete. */
export type FleetSettings = z.output<typeof FLEET_SETTINGS>;
