/** A new element with a class and a text. */
export function make<T extends keyof HTMLElementTagNameMap>(tag: T, className = '', text = ''): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Makes `text` the text of an element; one that has it already is left alone, because even the same text anew is laid out anew. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes `name` the class of an element, unless it is. */
export function setClass(element: HTMLElement, name: string): void {
  if (element.className !== name) element.className = name;
}

/** Gives an element an attribute, unless it has it so. */
export function setAttribute(element: HTMLElement, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A push button. */
export function button(text: string, title: string, pressed: () => void): HTMLButtonElement {
  const made = make('button', '', text);
  made.type = 'button';
  made.title = title;
  made.setAttribute('aria-label', title);
  made.addEventListener('click', pressed);
  return made;
}

/** A panel with a heading. */
export function panel(title: string, className = ''): { readonly element: HTMLElement; readonly heading: HTMLElement } {
  const element = make('section', `panel ${className}`.trim());
  const heading = make('h2', '', title);
  element.append(heading);
  element.setAttribute('aria-label', title);
  return { element, heading };
}

/** Keeps `place` as high as `inner` ever was at this width: what lies below stands still while its words change. */
export function keepHeight(place: HTMLElement, inner: HTMLElement): void {
  let width = 0;
  let most = 0;
  new ResizeObserver((entries) => {
    const { inlineSize, blockSize } = entries.at(-1)!.borderBoxSize[0]!;
    if (inlineSize !== width) most = 0;
    width = inlineSize;
    if (blockSize <= most) return;
    most = blockSize;
    place.style.minHeight = `${Math.ceil(most)}px`;
  }).observe(inner);
}

/**
 * A canvas that fills its place. Its size is known without asking the browser, which would lay out the page for the answer. Marks that move
 * at every step lie above it, so that they move without drawing it anew.
 */
export class FittedCanvas {
  readonly element = make('canvas');
  /** What goes on the page: the canvas and its marks. */
  readonly place = make('div', 'fitted');
  /** CSS pixels. */
  width = 0;
  height: number;

  /** @param draw runs when the size changes */
  constructor(height: number, draw: () => void) {
    this.height = height;
    this.element.style.height = `${height}px`;
    this.place.append(this.element);
    new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.element;
      this.width = clientWidth;
      this.height = clientHeight;
      this.element.width = Math.round(clientWidth * devicePixelRatio);
      this.element.height = Math.round(clientHeight * devicePixelRatio);
      draw();
    }).observe(this.element);
  }

  /** A mark above the canvas, which `moveMark` moves. */
  addMark(className: string): HTMLElement {
    const mark = make('i', `canvas-mark ${className}`);
    mark.hidden = true;
    this.place.append(mark);
    return mark;
  }

  /** Its surface, empty, in CSS pixels. */
  begin(): CanvasRenderingContext2D {
    const context = this.element.getContext('2d')!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }
}

/** Shows a mark at a place of its canvas, CSS pixels. A move by less than half a pixel is none, and nothing is drawn for it. */
export function moveMark(mark: HTMLElement, x: number, y = 0): void {
  const place = `translate(${Math.round(2 * x) / 2}px, ${Math.round(2 * y) / 2}px)`;
  if (mark.hidden) mark.hidden = false;
  if (mark.style.transform !== place) mark.style.transform = place;
}
