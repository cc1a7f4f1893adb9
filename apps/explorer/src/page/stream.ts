import type { LabAbout, LabSample } from '../sample.ts';

/** What the page does with what arrives. */
interface StreamListener {
  about(about: LabAbout): void;
  /** The samples kept follow, all of them: what came before is forgotten. */
  forget(): void;
  /** @param fresh false for samples of the history but its last: no need to draw them one by one */
  sample(sample: LabSample, fresh: boolean): void;
  /** The lab does not answer; the browser keeps trying. */
  lost(): void;
}

/** Listens to the lab. The browser connects again by itself when the connection is lost. */
export function openStream(listener: StreamListener): void {
  const source = new EventSource('api/live');
  source.addEventListener('about', (event) => listener.about(JSON.parse(event.data) as LabAbout));
  source.addEventListener('history', (event) => {
    const samples = JSON.parse(event.data) as LabSample[];
    listener.forget();
    samples.forEach((sample, i) => listener.sample(sample, i === samples.length - 1));
  });
  source.addEventListener('sample', (event) => listener.sample(JSON.parse(event.data) as LabSample, true));
  source.addEventListener('error', () => listener.lost());
}
