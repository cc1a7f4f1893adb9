import { MemoryLog } from '@s2lab/events';
import { transportContract } from '@s2lab/testkit';

transportContract('memory', async () => {
  const log = new MemoryLog();
  return { sink: log, source: async () => log.source(), discard: () => log.close() };
});
