import type { LogBytes } from '@s2lab/frame';
import { IndexedLog } from '@s2lab/frame';
import type { LoggedMachine } from '@s2lab/survey';
import { LogSeeker, MemoryCheckpoints, Survey } from '@s2lab/survey';
import { LogDesk } from '../../../log/log-desk.ts';
import type { Questions } from '../../../log/answers.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/*
 * The worker of the page: reads a log in the browser, with the code that the server reads it with. Bytes are taken from the file as they
 * are needed; it is never in memory as a whole.
 */

/** Violations kept with their proofs. */
const VIOLATIONS_KEPT = 1000;

/** Deflate of the browser: checkpoints are a fifth of their size. */
const DEFLATED = {
  pack: (bytes: Uint8Array<ArrayBuffer>) => through(bytes, new CompressionStream('deflate-raw')),
  unpack: (bytes: Uint8Array<ArrayBuffer>) => through(bytes, new DecompressionStream('deflate-raw')),
};

let desk: LogDesk | undefined;
const firstAnswer = Promise.withResolvers<void>();

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  void ('open' in data ? open(data.open) : answer(data));
});

// What is sent while modules of this worker still wait for something is lost: so it says when it hears.
tell({ ready: true });

function tell(message: FromWorker): void {
  postMessage(message);
}

async function answer({ id, question, what }: Extract<ToWorker, { readonly id: number }>): Promise<void> {
  try {
    tell({ id, answer: await desk!.ask(question, what as Questions[typeof question]['ask']) });
  } catch (error) {
    tell({ id, error: (error as Error).message });
  }
  firstAnswer.resolve();
}

async function open(log: Extract<ToWorker, { readonly open: unknown }>['open']): Promise<void> {
  try {
    const blob = log instanceof File ? log : await (await fetch(log.url)).blob();
    const seeker = new LogSeeker(await IndexedLog.over(blobBytes(blob), log.name), () => {});
    const store = new MemoryCheckpoints(DEFLATED);
    const survey = new Survey(seeker, store, { maxViolations: VIOLATIONS_KEPT });
    seeker.checkpoints = store;
    desk = new LogDesk(
      seeker,
      {
        get events() {
          return survey.events;
        },
        get complete() {
          return survey.complete;
        },
        verdict: () => survey.verdict(),
        overview: (machine: LoggedMachine) => survey.overview(machine),
      },
      () => false,
    );
    tell({ opened: true });
    // The page asks what log it is: where that opens shall not depend on how much of it was judged by then.
    await firstAnswer.promise;
    await run(survey);
  } catch (error) {
    tell({ opened: false, error: (error as Error).message });
  }
}

/** The pass over the log, a frame at a time; messages are heard in between, and questions go first. */
async function run(survey: Survey): Promise<void> {
  while (await survey.step()) {
    await pause();
    while (desk!.busy > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Lets messages in, without the delay of a timer. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}

function blobBytes(blob: Blob): LogBytes {
  return {
    size: () => Promise.resolve(blob.size),
    read: async (offset, count) => new Uint8Array(await blob.slice(offset, offset + count).arrayBuffer()),
    close: () => Promise.resolve(),
  };
}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  const answer = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(answer).arrayBuffer());
}
