import type { LabAbout, LabSample } from '../sample.ts';

/** Samples that a view gets that listens late: three minutes. */
const KEPT = 720;

/** What a view does with what arrives. */
interface LabListener {
  about(about: LabAbout): void;
  /** The samples kept follow, all of them: what came before is forgotten. */
  forget?(): void;
  /** @param fresh false for samples of the history but its last: no need to draw them one by one */
  sample(sample: LabSample, fresh: boolean): void;
  /** The lab does not answer; the browser keeps trying. */
  lost(): void;
}

/** What the lab tells, once for all views. The browser connects again by itself when the connection is lost. */
class LabStream {
  private readonly listeners: LabListener[] = [];
  private source: EventSource | undefined;
  private about: LabAbout | undefined;
  private samples: LabSample[] = [];

  /** Tells `listener` what was told before, and everything from now on. */
  listen(listener: LabListener): void {
    this.listeners.push(listener);
    if (this.source === undefined) this.open();
    else if (this.about !== undefined) {
      listener.about(this.about);
      this.replay(listener);
    }
  }

  private open(): void {
    const source = new EventSource('api/live');
    this.source = source;
    source.addEventListener('about', (event) => {
      const about = JSON.parse(event.data) as LabAbout;
      if (about.run !== this.about?.run) this.samples = [];
      this.about = about;
      for (const listener of this.listeners) listener.about(about);
    });
    source.addEventListener('history', (event) => {
      this.samples = JSON.parse(event.data) as LabSample[];
      for (const listener of this.listeners) this.replay(listener);
    });
    source.addEventListener('sample', (event) => {
      const sample = JSON.parse(event.data) as LabSample;
      this.samples.push(sample);
      if (this.samples.length > KEPT) this.samples.shift();
      for (const listener of this.listeners) listener.sample(sample, true);
    });
    source.addEventListener('error', () => {
      for (const listener of this.listeners) listener.lost();
    });
  }

  private replay(listener: LabListener): void {
    listener.forget?.();
    this.samples.forEach((sample, i) => listener.sample(sample, i === this.samples.length - 1));
  }
}

/** The one stream of the page. */
export const labStream: LabStream = new LabStream();
