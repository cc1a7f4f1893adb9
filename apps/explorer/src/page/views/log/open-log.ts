import type { LogOracle } from '../../../log/answers.ts';
import type { Site } from '../../../site.ts';
import type { Bar, ShownView, View } from '../../shell.ts';
import { HTTP_ORACLE } from './http-oracle.ts';
import { LogSession } from './log-session.ts';
import { LogView } from './log-view.ts';
import { make } from './make-element.ts';
import { WorkerOracle } from './worker-oracle.ts';

/** The view of a log: the server’s, one that lies beside the page, or one that the reader drops on the page. */
export function logView(site: Site): View {
  return { name: 'log', title: 'Log', open: (root, bar) => new OpenLog(site, root, bar) };
}

class OpenLog implements ShownView {
  private readonly root: HTMLElement;
  private readonly bar: Bar;
  private readonly place = make('div', 'view');
  private session: LogSession | undefined;
  private oracle: LogOracle | undefined;
  private view: LogView | undefined;
  private address = new URLSearchParams();

  constructor(site: Site, root: HTMLElement, bar: Bar) {
    this.root = root;
    this.bar = bar;
    root.append(this.place);
    this.takeDrops();
    const { log } = site;
    if (log === null) this.invite('');
    else {
      this.say('opening the log …');
      void this.open(async () =>
        log.from === 'api' ? HTTP_ORACLE : WorkerOracle.open({ name: log.path, url: new URL(log.path, document.baseURI).href }),
      );
    }
  }

  show(address: URLSearchParams): void {
    this.address = address;
    this.view?.show(address);
  }

  hide(): void {
    this.view?.hide();
  }

  private async open(begin: () => Promise<LogOracle>): Promise<void> {
    try {
      const oracle = await begin();
      const session = await LogSession.begin(oracle);
      this.session?.end();
      if (this.oracle instanceof WorkerOracle) this.oracle.close();
      session.listen((news) => {
        if (news !== 'replaced') return;
        this.address = new URLSearchParams();
        void this.open(begin);
      });
      this.session = session;
      this.oracle = oracle;
      this.view = new LogView(this.place, this.bar, session);
      this.view.show(this.address);
    } catch (error) {
      if (this.view === undefined) this.invite((error as Error).message);
      else this.session?.complain((error as Error).message);
    }
  }

  /** A file that is dropped anywhere on the page takes the place of the log that is shown. */
  private takeDrops(): void {
    const { root } = this;
    addEventListener('dragover', (event) => {
      event.preventDefault();
      root.classList.add('dropping');
    });
    addEventListener('dragleave', () => root.classList.remove('dropping'));
    addEventListener('drop', (event) => {
      event.preventDefault();
      root.classList.remove('dropping');
      const file = event.dataTransfer?.files[0];
      if (file !== undefined) this.take(file);
    });
  }

  private take(file: File): void {
    this.address = new URLSearchParams(); // a link into another log
    if (this.view === undefined) this.say(`opening ${file.name} …`);
    void this.open(() => WorkerOracle.open(file));
  }

  private say(text: string): void {
    this.place.replaceChildren(make('p', 'invitation', text));
  }

  private invite(problem: string): void {
    const box = make('div', 'invitation');
    const choose = make('input');
    choose.type = 'file';
    choose.accept = '.arrow';
    choose.setAttribute('aria-label', 'Log file');
    choose.addEventListener('change', () => {
      const file = choose.files?.[0];
      if (file !== undefined) this.take(file);
    });
    box.append(
      make('h2', '', 'Drop a log here'),
      make('p', '', 'A file of s2lab record, check, import or export. It is read and verified in this browser; nothing is sent anywhere.'),
      choose,
    );
    if (problem !== '') box.append(make('p', 'bad', problem));
    this.place.replaceChildren(box);
    this.bar.verdict.textContent = 'no log';
  }
}
