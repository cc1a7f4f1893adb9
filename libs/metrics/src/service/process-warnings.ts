/** Warnings of Node that say nothing to a user: kafkajs computes waits that are already over (it is no longer maintained). */
const MUTED: ReadonlySet<string> = new Set(['TimeoutNegativeWarning']);

/** Shows Node’s warnings on standard error, one line each, but for those known to be harmless. Called by programs that use Kafka. */
export function muteKafkaWarnings(): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (!MUTED.has(warning.name)) process.stderr.write(`${warning.name}: ${warning.message.split('\n', 1)[0]}\n`);
  });
}
