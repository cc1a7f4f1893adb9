import { PHASE, codeName } from '@s2lab/events';

/* Numbers and codes as the page writes them: short, with a unit where one is needed. */

/** 1234567 → `1.23M`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)}G`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  if (size > 0 && size < 0.1) return String(Number(value.toPrecision(2)));
  return size >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : digits(value);
}

/** Bytes with a binary unit. */
export function bytes(value: number): string {
  if (value >= 2 ** 30) return `${digits(value / 2 ** 30)} GiB`;
  if (value >= 2 ** 20) return `${digits(value / 2 ** 20)} MiB`;
  if (value >= 2 ** 10) return `${digits(value / 2 ** 10)} KiB`;
  return `${Math.round(value)} B`;
}

/** Virtual nanoseconds with the unit that suits them. */
export function duration(ns: number): string {
  if (ns >= 1e9) return `${digits(ns / 1e9)} s`;
  if (ns >= 1e6) return `${digits(ns / 1e6)} ms`;
  if (ns >= 1e3) return `${digits(ns / 1e3)} µs`;
  return `${Math.round(ns)} ns`;
}

/** Wall time in seconds as `hh:mm:ss`. */
export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}

/** A phase of a scenario in words. */
export function phaseName(phase: number): string {
  return codeName(PHASE, phase).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
