import { tell } from './output.ts';

/** Signals closer together than this are one Ctrl-C: a process group, npm and a launcher may each pass it on. */
const SAME_SIGNAL_MS = 1000;

/**
 * A signal that is raised by Ctrl-C or SIGTERM. The first asks for a clean end; one more, a second later, ends the program at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        firstMs = performance.now();
        controller.abort();
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
        tell('stopped at once; what was recorded is kept, without its footer (s2lab repair adds it)');
        process.exit(130);
      }
    });
  }
  return controller.signal;
}

/** Waits for the signal; the program stays alive until then. */
export async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => {}, 60_000);
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}
