import { ControlBar } from '../../controls/control-bar.ts';
import { LabHistory } from '../../lab-history.ts';
import { labStream } from '../../lab-stream.ts';
import { RunHeader } from '../../run-header.ts';
import type { View } from '../../shell.ts';
import { LiveView } from './live-view.ts';

/** The view of the lab that runs behind the page. */
export const LIVE: View = {
  name: 'live',
  title: 'Live',
  open(root, bar) {
    const history = new LabHistory();
    const header = new RunHeader(bar.facts, bar.verdict);
    const controls = new ControlBar();
    root.append(controls.element);
    const view = new LiveView(root, history);
    let run = '';
    labStream.listen({
      about: (about) => {
        if (about.run !== run) history.clear();
        run = about.run;
        header.about(about);
        controls.about();
      },
      forget: () => history.clear(),
      sample: (sample, fresh) => {
        history.push(sample);
        if (!fresh) return;
        header.sample(sample);
        view.refresh();
      },
      lost: () => header.lost(),
    });
    return {};
  },
};
