/**
 * Stops on a programmer's error: always on, one condition each. Modelled outcomes are values, never assertions.
 * @throws Error with `message` when `condition` is false
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`engine assertion failed: ${message}`);
}
