import { z } from 'zod';

/** Environment variables of the verifier service, with their defaults. */
export const VERIFIER_SETTINGS = z.object({
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
  S2LAB_GROUP: z.string().min(1).default('s2lab-verifier').meta({ description: 'Consumer group: its members share the partitions' }),
  S2LAB_REPLICAS: z.coerce
    .number()
    .int()
    .min(1)
    .max(16)
    .default(1)
    .meta({ description: 'Copies of the topics for violations and dead letters, when they are made' }),
  S2LAB_CHECKPOINTS: z.string().min(1).default('topic').meta({
    description:
      'Where the state of judging is kept: `topic` (a compacted topic beside the events), a file path (SQLite), or `none` (a start reads all events)',
  }),
  S2LAB_CHECKPOINT_SECONDS: z.coerce
    .number()
    .min(0.1)
    .max(3600)
    .default(10)
    .meta({ description: 'Seconds between two checkpoints: what is judged anew after a crash, at most' }),
  S2LAB_HTTP_HOST: z.string().min(1).default('127.0.0.1').meta({ description: 'Address the HTTP server binds to' }),
  S2LAB_HTTP_PORT: z.coerce.number().int().min(0).max(65535).default(9465).meta({ description: 'Port of the HTTP server' }),
});

/** Settings of the verifier service, checked and complete. */
export type VerifierSettings = z.output<typeof VERIFIER_SETTINGS>;
