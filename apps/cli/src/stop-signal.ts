import { tell } from './output.ts';

/**
 * A signal that is raised by Ctrl-C or SIGTERM. The first asks for a clean end; a second one ends the program at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        tell('stopped at once; what was recorded is kept, without its footer (s2lab repair adds it)');
        process.exit(130);
      }
      controller.abort();
    });
  }
  return controller.signal;
}
