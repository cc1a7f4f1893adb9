/** Colours of series, as names of CSS variables: they differ between light and dark, and are told apart by colour-blind readers. */
const SERIES_COLOURS = 8;

/** The value of a CSS variable of the page. */
export function cssVariable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The colour of the `i`th series. */
export function seriesColour(i: number): string {
  return cssVariable(`--series-${(i % SERIES_COLOURS) + 1}`);
}

/** Calls `changed` whenever the reader’s system turns from light to dark or back. */
export function onSchemeChange(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
