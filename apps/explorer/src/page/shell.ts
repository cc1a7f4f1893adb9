/** One of the views of the page. */
export interface View {
  /** Its name in the address: `#view=NAME`. */
  readonly name: string;
  /** The word on its tab. */
  readonly title: string;
  /** Makes the view in `root` and fills the bar’s facts and badge; called once, when it is first shown. */
  open(root: HTMLElement, bar: Bar): ShownView;
}

/** A view that was opened. */
export interface ShownView {
  /** It is on the screen from now on, with what the address says after `#`. Called again whenever that changes. */
  show?(address: URLSearchParams): void;
  /** It leaves the screen; it goes on in the background. */
  hide?(): void;
}

/** A view’s own part of the bar at the top. */
export interface Bar {
  readonly facts: HTMLElement;
  readonly verdict: HTMLElement;
}

/** The element with `id` in the page’s own HTML. */
function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found;
}

interface Opened extends Bar {
  readonly root: HTMLElement;
  readonly view: ShownView;
}

/**
 * Shows one of `views` at a time, by the address: `#view=log&machine=0&seq=5`. An address that names none shows the first one whose own
 * words (`ownWords`) it has, and else the first.
 */
export function startShell(views: readonly View[], ownWords: Readonly<Record<string, readonly string[]>>): void {
  const tabs = element('tabs');
  const model: Bar = { facts: element('facts'), verdict: element('verdict') };
  const main = document.querySelector('main')!;
  const opened = new Map<string, Opened>();
  const links = new Map(views.map(({ name, title }) => [name, tabLink(name, title)] as const));
  tabs.append(...links.values());
  tabs.hidden = views.length < 2;

  const open = (view: View): Opened => {
    const bar = opened.size === 0 ? model : copyOf(model);
    const root = document.createElement('div');
    root.className = 'view';
    main.append(root);
    const made = { ...bar, root, view: view.open(root, bar) };
    opened.set(view.name, made);
    return made;
  };

  const follow = (): void => {
    const address = new URLSearchParams(location.hash.slice(1));
    const wanted =
      views.find(({ name }) => name === address.get('view')) ??
      views.find(({ name }) => ownWords[name]?.some((word) => address.has(word))) ??
      views[0]!;
    const shown = opened.get(wanted.name) ?? open(wanted);
    for (const [name, link] of links) {
      if (name === wanted.name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    for (const { facts, verdict, root, view } of opened.values()) {
      const hidden = root !== shown.root;
      if (hidden && !root.hidden) view.hide?.();
      facts.hidden = verdict.hidden = root.hidden = hidden;
    }
    shown.view.show?.(address);
  };
  addEventListener('hashchange', follow);
  follow();
}

function tabLink(name: string, title: string): HTMLAnchorElement {
  const link = document.createElement('a');
  link.href = `#view=${name}`;
  link.textContent = title;
  return link;
}

/** The bar’s parts for another view, empty, beside those of the first. */
function copyOf(model: Bar): Bar {
  const facts = model.facts.cloneNode() as HTMLElement;
  const verdict = model.verdict.cloneNode() as HTMLElement;
  facts.removeAttribute('id');
  verdict.removeAttribute('id');
  model.verdict.after(facts, verdict);
  return { facts, verdict };
}
