import { LabHistory } from './lab-history.ts';
import { RunHeader } from './run-header.ts';
import { openStream } from './stream.ts';
import { LiveView } from './views/live/live-view.ts';

/** The element with `id` in the page’s own HTML. */
function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found;
}

const history = new LabHistory();
const header = new RunHeader(element('facts'), element('verdict'));
const view = new LiveView(element('view'), history);

openStream({
  about: (about) => {
    history.clear();
    header.about(about);
  },
  sample: (sample, fresh) => {
    history.push(sample);
    if (!fresh) return;
    header.sample(sample);
    view.refresh();
  },
  lost: () => header.lost(),
});
