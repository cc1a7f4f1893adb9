/** Colours of series, as names of CSS variables: they differ between light and dark, and are told apart by colour-blind readers. */
const SERIES_COLOURS = 8;

/** Values of CSS variables, until the scheme changes: asking the browser makes it compute the styles of the page. */
const known = new Map<string, string>();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => known.clear());

/** The value of a CSS variable of the page. */
export function cssVariable(name: string): string {
  let value = known.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    if (value !== '') known.set(name, value); // empty while the style sheet is on its way
  }
  return value;
}

/** The colour of the `i`th series. */
export function seriesColour(i: number): string {
  return cssVariable(`--series-${(i % SERIES_COLOURS) + 1}`);
}

/** Calls `changed` whenever the reader’s system turns from light to dark or back. */
export function onSchemeChange(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
