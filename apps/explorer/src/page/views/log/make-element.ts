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

/** A canvas that fills its place; `draw` runs when its size or the reader’s colours change, in CSS pixels. */
export function fittedCanvas(height: number, draw: () => void): HTMLCanvasElement {
  const canvas = make('canvas');
  canvas.style.height = `${height}px`;
  new ResizeObserver(() => {
    const ratio = devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    draw();
  }).observe(canvas);
  return canvas;
}
