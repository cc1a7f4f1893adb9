/** A new element with a class and a text. */
export function make<T extends keyof HTMLElementTagNameMap>(tag: T, className = '', text = ''): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
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

/** A canvas that fills its place. Its size is known without asking the browser, which would lay out the page for the answer. */
export class FittedCanvas {
  readonly element = make('canvas');
  /** CSS pixels. */
  width = 0;
  height: number;

  /** @param draw runs when the size changes */
  constructor(height: number, draw: () => void) {
    this.height = height;
    this.element.style.height = `${height}px`;
    new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.element;
      this.width = clientWidth;
      this.height = clientHeight;
      this.element.width = Math.round(clientWidth * devicePixelRatio);
      this.element.height = Math.round(clientHeight * devicePixelRatio);
      draw();
    }).observe(this.element);
  }

  /** Its surface, empty, in CSS pixels. */
  begin(): CanvasRenderingContext2D {
    const context = this.element.getContext('2d')!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }
}
