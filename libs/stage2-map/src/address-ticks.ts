import { hexAddress } from '@s2lab/arch';

/** Marks of the address axis: multiples of a power of two that are at least `apart` CSS pixels from each other. */
export function addressTicks(from: number, to: number, width: number, apart: number): { readonly ipa: number; readonly text: string }[] {
  const step = 2 ** Math.ceil(Math.log2(((to - from) * apart) / width));
  const ticks = [];
  for (let ipa = Math.ceil(from / step) * step; ipa < to; ipa += step) ticks.push({ ipa, text: hexAddress(ipa) });
  return ticks;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A size in the largest binary unit that leaves at most one decimal. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]!}`;
}
