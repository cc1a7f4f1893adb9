export { createTopics, KafkaTransportError, type KafkaConnection, type Patience, type TopicPlan } from './kafka-client.ts';
export { KafkaSink, type KafkaSinkOptions } from './kafka-sink.ts';
export { KafkaSource, type KafkaSourceOptions, type PlacedItem } from './kafka-source.ts';
